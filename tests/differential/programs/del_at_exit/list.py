# At exit a list frees its objects from the end and a dictionary from the start.
class A:
    def __init__(self, n):
        self.n = n
    def __del__(self):
        print("del", self.n)
items = [A(i) for i in range(3)]
table = {k: A(k) for k in "xy"}
