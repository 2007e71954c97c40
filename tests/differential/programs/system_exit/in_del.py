# sys.exit in a finalizer is reported and ignored.
import sys
class Del:
    def __call__(self):
        sys.exit(4)
    def __repr__(self):
        return "<exiting del>"
class A:
    __del__ = Del()
a = A()
del a
print("still here")
