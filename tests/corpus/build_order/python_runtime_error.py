# Assumes that some task is always ready; on a cycle the heap runs dry.
from heapq import heapify, heappop, heappush

n, m = map(int, input().split())
after = [[] for _ in range(n + 1)]
waits = [0] * (n + 1)
for _ in range(m):
    a, b = map(int, input().split())
    after[a].append(b)
    waits[b] += 1
ready = [v for v in range(1, n + 1) if waits[v] == 0]
heapify(ready)
order = []
for _ in range(n):
    v = heappop(ready)
    order.append(v)
    for u in after[v]:
        waits[u] -= 1
        if waits[u] == 0:
            heappush(ready, u)
print(*order)
