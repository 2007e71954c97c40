# A local of the function that calls sys.exit is freed.
import sys
class A:
    def __del__(self):
        print("del local")
def f():
    a = A()
    sys.exit(2)
f()
