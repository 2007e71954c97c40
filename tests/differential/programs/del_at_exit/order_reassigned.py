# A global that is assigned again keeps its place in the order at exit.
class A:
    def __init__(self, n):
        self.n = n
    def __del__(self, print=print):
        print("del", self.n)
z = A("z")
y = A("y")
x = A("x")
z = None
z = A("z2")
