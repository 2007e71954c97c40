# sys.is_finalizing() is true in a finalizer at exit and false before.
import sys
class A:
    def __del__(self, fin=sys.is_finalizing):
        print("finalizing", fin())
a = A()
b = A()
del b
