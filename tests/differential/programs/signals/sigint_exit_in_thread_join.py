# An interrupt ends the wait for a thread.
import os
import signal
import threading
import time
def f():
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
t = threading.Thread(target=f)
t.start()
try:
    t.join()
except KeyboardInterrupt:
    print("join interrupted")
