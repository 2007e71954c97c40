import atexit
import sys
atexit.register(print, "registered first, runs last")
atexit.register(sys.exit, 7)
print("body")
