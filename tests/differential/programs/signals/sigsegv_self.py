# SIGSEGV kills the program after its flushed text.
import os
import signal
print("flushed", flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
