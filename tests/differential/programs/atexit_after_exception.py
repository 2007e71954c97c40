import atexit
import sys
atexit.register(lambda: print("ran", sys.exc_info()))
raise ValueError("x")
