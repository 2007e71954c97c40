# The root logger has no handler and no children at first.
import logging
print(logging.root.level, logging.root.handlers, sorted(logging.root.manager.loggerDict), logging.raiseExceptions, len(logging._handlerList))
