import sys
def hook(*a):
    sys.exit("hook message")
sys.excepthook = hook
raise ValueError("x")
