import atexit
import os
import sys
atexit.register(os._exit, 44)
print("flushed?")
sys.exit(1)
