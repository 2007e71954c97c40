# An exception in a named thread is reported, and the program goes on.
import threading
def f():
    raise ValueError("in thread")
t = threading.Thread(target=f, name="worker-a")
t.start()
t.join()
print("main fine")
