# SIGTERM kills the program, and only flushed text is kept.
import os
import signal
print("flushed", flush=True)
print("lost")
os.kill(os.getpid(), signal.SIGTERM)
