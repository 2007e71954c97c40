import warnings
def f():
    warnings.warn("level two", UserWarning, stacklevel=2)
f()
f()
