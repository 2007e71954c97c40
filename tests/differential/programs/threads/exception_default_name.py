# The report of a thread's exception uses the default name Thread-1.
import threading
def work(n):
    [][n]
t = threading.Thread(target=work, args=(3,))
t.start()
t.join()
