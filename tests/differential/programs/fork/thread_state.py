# In a forked child only the forking thread is alive.
import os
import threading
import time
ev = threading.Event()
t = threading.Thread(target=ev.wait)
t.start()
pid = os.fork()
if pid == 0:
    print(threading.active_count(), threading.current_thread().name, threading.main_thread() is threading.current_thread(), t.is_alive(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(threading.active_count())
ev.set()
