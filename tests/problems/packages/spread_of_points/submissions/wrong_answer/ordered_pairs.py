import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
xs, ys = rest[::2], rest[1::2]
total = n * sum(x * x for x in rest) - sum(xs) ** 2 - sum(ys) ** 2
print((total / (n * (n - 1))) ** 0.5)
