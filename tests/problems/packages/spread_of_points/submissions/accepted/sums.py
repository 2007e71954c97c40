import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
xs, ys = rest[::2], rest[1::2]
squares = sum(x * x for x in xs) + sum(y * y for y in ys)
total = n * squares - sum(xs) ** 2 - sum(ys) ** 2
print((total / (n * (n - 1) // 2)) ** 0.5)
