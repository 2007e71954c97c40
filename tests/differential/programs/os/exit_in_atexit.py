# os._exit in an exit handler sets the exit code; earlier text is already flushed.
import atexit
import os
import sys
atexit.register(os._exit, 44)
print("flushed?")
sys.exit(1)
