import warnings
def f():
    warnings.warn("level one", stacklevel=1)
f()
