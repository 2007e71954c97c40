# The debugger quits when standard input is empty.
import os
os.dup2(2, 1)
def f():
    v = 3
    breakpoint()
    return v
print(f())
