# Stack level 1 blames the line of the warning itself.
import warnings
def f():
    warnings.warn("level one", stacklevel=1)
f()
