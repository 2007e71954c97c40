# Comparing nested lists meets the recursion limit at the usual depth.
def nest(n):
    x = []
    for _ in range(n):
        x = [x]
    return x
lo, hi = 1, 5000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        nest(mid) == nest(mid)
        lo = mid
    except RecursionError as e:
        hi = mid - 1
        msg = str(e)
print(lo, msg)
