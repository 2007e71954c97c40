# A thread that outlives the main one starts another thread.
import threading
import time
def second():
    print("second")
def first():
    time.sleep(0.1)
    print("first")
    threading.Thread(target=second).start()
threading.Thread(target=first).start()
print("main")
