# os._exit skips exit handlers and finally blocks.
import atexit
import os
atexit.register(print, "never", flush=True)
try:
    print("flushed", flush=True)
    os._exit(0)
finally:
    print("never either", flush=True)
