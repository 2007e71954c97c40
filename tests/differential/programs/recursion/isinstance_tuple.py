# isinstance with nested tuples meets the recursion limit at the usual depth.
def nest(n):
    t = (int,)
    for _ in range(n):
        t = (t,)
    return t
lo, hi = 1, 3000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        isinstance("", nest(mid))
        lo = mid
    except RecursionError as e:
        hi = mid - 1
        msg = str(e)
print(lo, msg)
