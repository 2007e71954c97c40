# A captured traceback shows the local variables.
import sys
import traceback
def f(n):
    word = "w" * n
    return word / 2
try:
    f(3)
except TypeError as e:
    t = traceback.TracebackException.from_exception(e, capture_locals=True)
    last = list(t.format())[-2:]
    print("".join(last), file=sys.stderr)
