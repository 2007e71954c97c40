import heapq
import sys

data = list(map(int, sys.stdin.buffer.read().split()))
n, m = data[0], data[1]
roads = [[] for _ in range(n + 1)]
for i in range(2, 2 + 3 * m, 3):
    a, b, c = data[i : i + 3]
    roads[a].append((b, c))
    roads[b].append((a, c))
best = [float("inf")] * (n + 1)
best[1] = 0
heap = [(0, 1)]
while heap:
    length, town = heapq.heappop(heap)
    if length > best[town]:
        continue
    for other, c in roads[town]:
        if length + c < best[other]:
            best[other] = length + c
            heapq.heappush(heap, (length + c, other))
print(best[n] if best[n] < float("inf") else -1)
