# Stack level 2 blames each calling line.
import warnings
def f():
    warnings.warn("level two", UserWarning, stacklevel=2)
f()
f()
