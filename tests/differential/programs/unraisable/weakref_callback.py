# An error in the callback of a weak reference is reported.
import weakref
class CB:
    def __call__(self, r):
        raise ValueError("in callback")
    def __repr__(self):
        return "<CB>"
class A: ...
a = A()
r = weakref.ref(a, CB())
del a
print("end", r())
