# Objects in cycles and a global one are freed at exit in the usual order.
class A:
    def __init__(self, n):
        self.n = n
        self.me = self
    def __del__(self):
        print("del", self.n)
for i in range(3):
    A(i)
keep = A("global")
print("end")
