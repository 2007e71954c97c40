# Lowered recursion limits are met at the usual depth.
import sys
def f(n):
    try:
        return f(n + 1)
    except RecursionError:
        return n
for limit in (50, 100, 333, 2500):
    sys.setrecursionlimit(limit)
    print(limit, f(1))
