# An exit handler starts a thread and waits for it.
import atexit
import threading
def f():
    t = threading.Thread(target=print, args=("thread from atexit",))
    t.start()
    t.join()
atexit.register(f)
