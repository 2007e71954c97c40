# literal_eval meets its limit at the usual nesting of lists.
import ast
lo, hi = 1, 400
while lo < hi:
    mid = (lo + hi + 1) // 2
    try:
        ast.literal_eval("[" * mid + "]" * mid)
        lo = mid
    except (RecursionError, MemoryError, SyntaxError) as e:
        hi = mid - 1
        kind = type(e).__name__
print(lo, kind)
