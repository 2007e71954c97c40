# Classes and functions carry __main__ and their qualified names.
class A:
    class B:
        def m(self): ...
def f():
    def g(): ...
    return g
print(A.__module__, A.B.__qualname__, A.B.m.__qualname__, f().__qualname__, f.__module__)
print(A, A.B)
