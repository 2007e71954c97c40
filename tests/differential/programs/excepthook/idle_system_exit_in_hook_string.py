# A hook that calls sys.exit with a message sets stderr and the exit code.
import sys
def hook(*a):
    sys.exit("hook message")
sys.excepthook = hook
raise ValueError("x")
