# Objects in a default argument and in a closure are freed at exit in the usual order.
class A:
    def __init__(self, n):
        self.n = n
    def __del__(self):
        print("del", self.n)
def f(x=A("default")):
    y = A("closure")
    def g():
        return y
    return g
g = f()
print("end")
