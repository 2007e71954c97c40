# Collects every pair of trees with its distance before doing anything else.
import math
import sys

data = list(map(int, sys.stdin.read().split()))
pts = sorted(set(zip(data[1::2], data[2::2])))
pairs = []
for i, p in enumerate(pts):
    for j, q in enumerate(pts):
        if i != j:
            pairs.append((i, j, p, q, math.dist(p, q)))
length = area = 0.0
for i, j, p, q, d in pairs:
    dx, dy = q[0] - p[0], q[1] - p[1]
    edge = True
    for r in pts:
        turn = dx * (r[1] - p[1]) - dy * (r[0] - p[0])
        along = dx * (r[0] - p[0]) + dy * (r[1] - p[1])
        if turn < 0 or turn == 0 and not 0 <= along <= dx * dx + dy * dy:
            edge = False
            break
    if edge:
        length += d
        area += p[0] * q[1] - p[1] * q[0]
print(length, area / 2)
