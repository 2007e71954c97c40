# In a child forked from a thread, that thread is the main one.
import os
import threading
def f():
    pid = os.fork()
    if pid == 0:
        print(threading.main_thread().name, threading.active_count(), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
t = threading.Thread(target=f, name="forker")
t.start()
t.join()
