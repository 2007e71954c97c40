# The default recursion limit is met at the usual depth.
import sys
def f(n):
    global deepest
    deepest = n
    f(n + 1)
try:
    f(1)
except RecursionError as e:
    print(deepest, e, sys.getrecursionlimit())
