# When the hook fails, its error and the original exception are printed.
import sys
def hook(t, v, tb):
    raise RuntimeError("hook failed")
sys.excepthook = hook
{}["k"]
