# Chained generators meet the recursion limit at the usual length.
def gen(n):
    if n:
        yield from gen(n - 1)
    yield n
lo, hi = 1, 2000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        sum(gen(mid))
        lo = mid
    except RecursionError:
        hi = mid - 1
print(lo)
