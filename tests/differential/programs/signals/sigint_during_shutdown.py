# An interrupt while the interpreter waits for threads is reported as usual.
import os
import signal
import threading
import time
def f():
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
threading.Thread(target=f).start()
print("main end", flush=True)
