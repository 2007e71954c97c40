class A:
    def __del__(self):
        print("del local")
def f():
    a = A()
    raise ValueError("holds a frame")
f()
