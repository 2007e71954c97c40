# tracebacklimit 1 shows one frame.
import sys
sys.tracebacklimit = 1
def f():
    g()
def g():
    raise ValueError("deep")
f()
