# A traceback has no source lines after the program deletes its own file.
import os
os.remove(__file__)
def f():
    raise RuntimeError("source is gone")
f()
