# The finally block, the traceback and the exit handler come in this order.
import atexit
import os
import sys
os.dup2(1, 2)
sys.tracebacklimit = 0
atexit.register(print, "atexit")
try:
    raise KeyError("k")
finally:
    print("finally")
