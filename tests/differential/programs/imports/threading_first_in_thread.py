# A low-level thread is the first to import threading.
import _thread
import time
names = []
def f():
    import threading
    names.append(threading.current_thread().name)
    names.append(threading.main_thread().name)
_thread.start_new_thread(f, ())
while len(names) < 2:
    time.sleep(0.01)
print(len(names), names[1])
