import atexit
import os
import signal
atexit.register(print, "never", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
