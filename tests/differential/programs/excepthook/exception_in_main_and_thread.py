# Uncaught exceptions in a thread and in the main thread are both reported.
import threading
def f():
    go.wait()
    raise KeyError("thread")
go = threading.Event()
t = threading.Thread(target=f, name="T")
t.start()
go.set()
t.join()
raise ValueError("main")
