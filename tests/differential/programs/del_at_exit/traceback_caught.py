# A saved exception keeps a local alive until exit.
class A:
    def __del__(self):
        print("del local")
def f():
    a = A()
    raise ValueError("x")
try:
    f()
except ValueError as e:
    saved = e
print("end")
