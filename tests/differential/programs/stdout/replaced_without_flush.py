# A replaced stdout without flush() is reported at exit.
import sys
class W:
    def write(self, s):
        sys.__stdout__.write("w:" + s)
    def __repr__(self):
        return "<W>"
sys.stdout = W()
print("hello", end="!")
