# logging.exception writes the traceback in the configured format.
import logging
logging.basicConfig(level="DEBUG", format="%(levelname)s:%(processName)s:%(threadName)s:%(message)s")
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("failed")
