# An interrupt that the program sends itself ends it with a traceback.
import os
import signal
import time
print("before")
os.kill(os.getpid(), signal.SIGINT)
time.sleep(1)
print("after")
