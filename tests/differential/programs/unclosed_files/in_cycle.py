# A file in a dead cycle loses its text when the cycle is collected.
import gc
class H:
    def __init__(self, f):
        self.f, self.me = f, self
h = H(open("d.txt", "w"))
h.f.write("cycle data")
del h
gc.collect()
print(repr(open("d.txt").read()))
