import sys
from fractions import Fraction

n, *rest = map(int, sys.stdin.buffer.read().split())
xs, ys = rest[::2], rest[1::2]
spread = sum(x * x for x in rest) - Fraction(sum(xs) ** 2 + sum(ys) ** 2, n)
print(float(2 * spread / (n - 1)) ** 0.5)
