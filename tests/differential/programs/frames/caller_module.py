# logging finds the module, function and line of the caller.
import logging
import sys
logging.basicConfig(format="%(module)s %(funcName)s %(lineno)d %(filename)s %(message)s")
logging.warning("module level")
def f():
    logging.warning("in f")
    return sys._getframemodulename() if hasattr(sys, "_getframemodulename") else None
print(f())
