# A replaced stdout gets the text and is flushed at exit.
import sys
class W:
    def __init__(self, raw):
        self.raw = raw
    def write(self, s):
        self.raw.write(s.upper())
        return len(s)
    def flush(self):
        self.raw.write("[flush]")
sys.stdout = W(sys.stdout)
print("hello")
