import sys
class Why:
    def __str__(self):
        return "custom reason"
sys.exit(Why())
