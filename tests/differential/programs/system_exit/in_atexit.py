# sys.exit in an exit handler does not stop the older handlers.
import atexit
import sys
atexit.register(print, "registered first, runs last")
atexit.register(sys.exit, 7)
print("body")
