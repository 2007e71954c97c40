import math
import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
points = list(zip(rest[::2], rest[1::2]))[:300]
n = len(points)
print(sum(math.dist(a, b) for a in points for b in points) / (n * (n - 1)))
