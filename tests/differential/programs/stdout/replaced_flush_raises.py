# A replaced stdout whose flush fails at exit is reported.
import sys
class W:
    def write(self, s):
        sys.__stdout__.write(s)
    def flush(self):
        raise OSError("flush failed")
    def __repr__(self):
        return "<W>"
sys.stdout = W()
print("hello")
