import os
os.remove(__file__)
def f():
    raise RuntimeError("source is gone")
f()
