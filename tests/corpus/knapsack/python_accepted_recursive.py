import sys
from functools import lru_cache

data = list(map(int, sys.stdin.read().split()))
n, cap = data[:2]
things = sorted(zip(data[2::2], data[3::2]), key=lambda t: -t[1] / (t[0] + 1e-9))
rest = [0] * (n + 1)
for i in range(n - 1, -1, -1):
    rest[i] = rest[i + 1] + things[i][1]
found = 0


def bound(i, room):
    total = 0.0
    for w, v in things[i:]:
        if w > room:
            return total + v * room / w
        room -= w
        total += v
    return total


@lru_cache(maxsize=50000)
def visit(i, room, got):
    global found
    found = max(found, got)
    if i == n or got + rest[i] <= found or got + bound(i, room) < found + 1 - 1e-6:
        return
    w, v = things[i]
    if w <= room:
        visit(i + 1, room - w, got + v)
    visit(i + 1, room, got)


visit(0, cap, 0)
print(found)
