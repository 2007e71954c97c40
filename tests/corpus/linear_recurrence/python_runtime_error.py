# Memoised recursion: a few thousand levels are too many.
from functools import cache

k, n = map(int, input().split())
start = list(map(int, input().split()))
coef = list(map(int, input().split()))


@cache
def f(i):
    if i < k:
        return start[i] % 1000000007
    return sum(coef[j] * f(i - 1 - j) for j in range(k)) % 1000000007


print(f(n))
