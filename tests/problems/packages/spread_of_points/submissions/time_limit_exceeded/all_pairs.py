import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
points = list(zip(rest[::2], rest[1::2]))
total = 0
for i, (x, y) in enumerate(points):
    for j in range(i):
        total += (x - points[j][0]) ** 2 + (y - points[j][1]) ** 2
print((total / (n * (n - 1) // 2)) ** 0.5)
