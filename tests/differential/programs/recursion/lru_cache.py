# A cached recursive function meets the recursion limit at the usual depth.
import functools
@functools.lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
lo = 0
for n in range(100, 1200, 1):
    fib.cache_clear()
    try:
        fib(n)
        lo = n
    except RecursionError:
        break
print(lo)
