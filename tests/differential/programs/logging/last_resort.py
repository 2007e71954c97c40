# The handler of last resort is used, and no logger exists before.
import logging
log = logging.getLogger("x")
log.warning("last resort")
print(logging.getLogger().handlers, log.handlers, sorted(logging.root.manager.loggerDict))
