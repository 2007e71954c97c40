# A thread finishes after the main thread has ended.
import threading
import time
def f():
    time.sleep(0.1)
    print("thread after main", threading.main_thread().is_alive())
threading.Thread(target=f).start()
print("main end")
