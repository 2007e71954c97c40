# Thread names count up from 1.
import threading
def f():
    print(threading.current_thread().name)
for _ in range(3):
    t = threading.Thread(target=f)
    t.start()
    t.join()
print(threading.Thread(target=print).name, threading.Thread().name, threading.Timer(1, f).name)
