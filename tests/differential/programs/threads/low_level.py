# An exception in a low-level thread reaches the unraisable hook.
import _thread
import time
def f():
    raise ValueError("low level")
import sys
sys.unraisablehook = lambda u: print(type(u.exc_value).__name__, u.err_msg)
_thread.start_new_thread(f, ())
time.sleep(0.1)
print("end", _thread._count())
