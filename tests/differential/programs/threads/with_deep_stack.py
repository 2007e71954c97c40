# A thread with a larger stack recurses 900 calls deep.
import threading
threading.stack_size(64 * 1024 * 1024)
def f(n):
    return 0 if n == 0 else 1 + f(n - 1)
t = threading.Thread(target=lambda: print(f(900)))
t.start()
t.join()
