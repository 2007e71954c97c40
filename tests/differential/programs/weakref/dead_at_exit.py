# At exit a weak reference is dead in the finalizer, and its callback does not run.
import weakref
class A:
    def __del__(self):
        print("del A", r() is None)
a = A()
r = weakref.ref(a, lambda _: print("callback"))
