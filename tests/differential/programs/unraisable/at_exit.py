# An error in a finalizer at exit is reported.
class Del:
    def __call__(self):
        raise ValueError("in del at exit")
    def __repr__(self):
        return "<del>"
class A:
    __del__ = Del()
a = A()
print("end of main")
