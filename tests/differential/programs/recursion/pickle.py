# pickle meets the recursion limit at the usual nesting.
import pickle
def nest(n):
    x = []
    for _ in range(n):
        x = [x]
    return x
lo, hi = 1, 5000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        pickle.dumps(nest(mid))
        lo = mid
    except RecursionError:
        hi = mid - 1
print(lo)
