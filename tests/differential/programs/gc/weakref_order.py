# A weak reference to a cycle is cleared and its callback runs before the finalizer does.
import gc
import weakref
class A:
    def __del__(self):
        print("del", w() is None)
a = A()
a.me = a
w = weakref.ref(a, lambda r: print("weakref callback"))
del a
print(gc.collect())
