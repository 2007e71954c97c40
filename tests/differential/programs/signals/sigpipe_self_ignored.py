# SIGPIPE is ignored.
import os
import signal
os.kill(os.getpid(), signal.SIGPIPE)
print("survived")
