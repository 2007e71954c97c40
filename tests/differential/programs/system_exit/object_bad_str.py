# An exit value whose text cannot be made exits with code 1.
import sys
class Why:
    def __str__(self):
        raise ValueError("cannot")
sys.exit(Why())
