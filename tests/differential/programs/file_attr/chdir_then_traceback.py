# A traceback finds its source lines after a change of directory.
import os
os.chdir("/")
def f():
    return 1 / 0
f()
