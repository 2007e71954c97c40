# A stack level beyond the module blames sys.
import warnings
def f():
    warnings.warn("level three", stacklevel=3)
f()
warnings.warn("too high", stacklevel=9)
