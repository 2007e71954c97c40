# An interrupt that the program sends itself can be caught.
import os
import signal
import time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print("interrupted")
