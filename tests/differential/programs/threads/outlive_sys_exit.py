# A thread finishes after sys.exit, and the exit code is kept.
import sys
import threading
import time
def f():
    time.sleep(0.1)
    print("thread finishes")
threading.Thread(target=f).start()
sys.exit(6)
