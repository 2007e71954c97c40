# Exit handlers run after an uncaught exception and see no current exception.
import atexit
import sys
atexit.register(lambda: print("ran", sys.exc_info()))
raise ValueError("x")
