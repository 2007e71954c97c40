# An error in a finalizer is reported and ignored, at once and at exit.
class Del:
    def __call__(self):
        raise ValueError("in del")
    def __repr__(self):
        return "<del>"
class A:
    __del__ = Del()
a = A()
a = None
print("after")
b = A()
