# A thread finishes after the main thread has failed.
import threading
import time
def f():
    time.sleep(0.1)
    print("thread finishes")
threading.Thread(target=f).start()
raise ValueError("main fails")
