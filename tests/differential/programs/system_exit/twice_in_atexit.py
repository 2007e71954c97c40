# Exit handlers that call sys.exit one after the other all run.
import atexit
import sys
class Exit:
    def __init__(self, n):
        self.n = n
    def __call__(self):
        print("callback", self.n)
        sys.exit(self.n)
    def __repr__(self):
        return f"<Exit {self.n}>"
atexit.register(Exit(1))
atexit.register(Exit(2))
sys.exit(3)
