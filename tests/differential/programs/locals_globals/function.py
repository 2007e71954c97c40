# locals() in a function and in a class body lists the right names.
x = 1
def f(a, b=2):
    c = a + b
    del a
    return sorted(locals()), "x" in globals()
print(f(1))
class C:
    y = 2
    names = sorted(locals())
print(C.names)
