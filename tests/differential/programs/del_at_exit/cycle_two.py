# Both objects of a dead cycle of two are finalized at exit.
class Node:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("del", self.name, self.other.name)
a, b = Node("a"), Node("b")
a.other, b.other = b, a
del a, b
print("end")
