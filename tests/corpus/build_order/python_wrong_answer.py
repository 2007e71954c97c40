# First come, first served: a valid order, but not the least one.
from collections import deque

n, m = map(int, input().split())
after = {v: [] for v in range(1, n + 1)}
waits = dict.fromkeys(after, 0)
for _ in range(m):
    a, b = map(int, input().split())
    after[a].append(b)
    waits[b] += 1
ready = deque(v for v in after if waits[v] == 0)
order = []
while ready:
    order.append(ready.popleft())
    for u in after[order[-1]]:
        waits[u] -= 1
        if waits[u] == 0:
            ready.append(u)
print(*order) if len(order) == n else print("CYCLE")
