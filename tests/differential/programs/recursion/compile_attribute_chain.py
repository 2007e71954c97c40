# The compiler meets its limit at the usual length of an attribute chain.
lo, hi = 1, 8000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        compile("a" + ".b" * mid, "s", "eval")
        lo = mid
    except (RecursionError, MemoryError):
        hi = mid - 1
print(lo)
