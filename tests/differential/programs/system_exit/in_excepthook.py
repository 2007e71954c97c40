# sys.exit in an exception hook sets the exit code.
import sys
def hook(t, v, tb):
    print("hook", t.__name__, v)
    sys.exit(33)
sys.excepthook = hook
raise ValueError("x")
