# A thread has the usual recursion depth left.
import threading
out = []
def f(n):
    try:
        return f(n + 1)
    except RecursionError:
        return n
t = threading.Thread(target=lambda: out.append(f(1)))
t.start()
t.join()
print(out, f(1))
