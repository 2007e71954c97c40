# An exit handler and a finalizer have the usual recursion depth left.
import atexit
def f(n):
    try:
        return f(n + 1)
    except RecursionError:
        return n
class A:
    def __del__(self):
        print("del", f(1))
atexit.register(lambda: print("atexit", f(1)))
a = A()
del a
