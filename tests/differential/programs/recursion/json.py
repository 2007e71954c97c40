# The JSON parser meets the recursion limit at the usual nesting.
import json
lo, hi = 1, 5000
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        json.loads("[" * mid + "]" * mid)
        lo = mid
    except RecursionError:
        hi = mid - 1
print(lo)
