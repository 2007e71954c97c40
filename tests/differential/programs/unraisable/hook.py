# A custom unraisable hook receives the error and the object.
import sys
def hook(u):
    print(u.exc_type.__name__, u.exc_value, u.err_msg, u.object.__qualname__)
sys.unraisablehook = hook
class A:
    def __del__(self):
        1 / 0
A()
print("end")
