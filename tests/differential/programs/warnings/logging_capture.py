# Captured warnings go to the logger py.warnings.
import logging
import warnings
logging.captureWarnings(True)
logging.basicConfig(format="%(name)s %(levelname)s")
warnings.warn("to logging")
