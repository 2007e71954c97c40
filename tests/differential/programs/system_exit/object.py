# An exit value that is an object is printed as its text.
import sys
class Why:
    def __str__(self):
        return "custom reason"
sys.exit(Why())
