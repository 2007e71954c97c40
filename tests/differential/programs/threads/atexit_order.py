# Exit handlers run after the threads have ended.
import atexit
import threading
import time
def f():
    time.sleep(0.1)
    print("thread")
atexit.register(print, "atexit after threads")
threading.Thread(target=f).start()
print("main")
