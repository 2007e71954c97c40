# deepcopy meets the recursion limit at the usual nesting.
import copy
def nest(n):
    x = []
    for _ in range(n):
        x = [x]
    return x
lo, hi = 1, 3000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        copy.deepcopy(nest(mid))
        lo = mid
    except RecursionError:
        hi = mid - 1
print(lo)
