# Recursion through __getattr__ and getattr meets the limit at the usual depth.
class A:
    def __init__(self):
        self.n = 0
    def __getattr__(self, name):
        self.n += 1
        return getattr(self, name + "x")
a = A()
try:
    a.y
except RecursionError as e:
    print(a.n, e)
