# An audit hook sees the interpreter's own events at exit.
import os
import sys
def hook(e, a, write=os.write):
    if e.startswith("cpython."):
        write(1, e.encode() + b"\n")
sys.addaudithook(hook)
print("end", flush=True)
