# A configured handler keeps the original stderr.
import io
import logging
import sys
logging.basicConfig(format="%(message)s")
old, sys.stderr = sys.stderr, io.StringIO()
logging.warning("handler keeps the original")
logging.getLogger("n").warning("same")
print(repr(sys.stderr.getvalue()))
