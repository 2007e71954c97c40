# A local that an uncaught exception's traceback holds is freed after the traceback is printed.
class A:
    def __del__(self):
        print("del local")
def f():
    a = A()
    raise ValueError("holds a frame")
f()
