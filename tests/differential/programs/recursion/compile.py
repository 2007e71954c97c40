# The compiler meets its limit at the usual number of unary operators.
lo, hi = 1, 8000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        compile("-" * mid + "1", "s", "eval")
        lo = mid
    except (RecursionError, MemoryError):
        hi = mid - 1
print(lo)
