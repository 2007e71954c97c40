# setrecursionlimit refuses values that are too low for the current depth.
import sys
for n in (0, -1, 1, 2, 3, 4, 5, 10):
    try:
        sys.setrecursionlimit(n)
        print(n, "ok")
    except (ValueError, RecursionError) as e:
        sys.setrecursionlimit(1000)
        print(n, type(e).__name__, e)
