import sys
class Why:
    def __str__(self):
        raise ValueError("cannot")
sys.exit(Why())
