# A replaced stdout that claims to be closed is flushed once and not again at exit.
import sys
class W:
    closed = True
    def write(self, s):
        return sys.__stdout__.write(s)
    def flush(self):
        sys.__stdout__.write("flush called\n")
sys.stdout = W()
print("x")
