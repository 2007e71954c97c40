# A thread that fails after the main thread has ended is reported.
import threading
import time
def f():
    time.sleep(0.1)
    raise ValueError("late failure")
threading.Thread(target=f).start()
print("main end")
