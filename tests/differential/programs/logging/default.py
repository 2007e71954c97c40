# Unconfigured logging writes warnings and errors to stderr.
import logging
logging.debug("no")
logging.warning("root warning %d", 5)
logging.getLogger("a.b").error("named")
logging.getLogger("fresh").info("no")
