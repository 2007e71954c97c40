import sys
from collections import deque

data = list(map(int, sys.stdin.read().split()))
n, m = data[:2]
roads = [[] for _ in range(n + 1)]
for i in range(2, 2 + 3 * m, 3):
    a, b, c = data[i : i + 3]
    roads[a].append((b, c))
    roads[b].append((a, c))
best = {1: 0}
queue = deque([1])
while queue:
    town = queue.popleft()
    for other, c in roads[town]:
        if other not in best:
            best[other] = best[town] + c
            queue.append(other)
print(best.get(n, -1))
