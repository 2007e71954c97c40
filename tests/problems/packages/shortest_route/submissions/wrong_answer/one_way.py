import heapq
import sys

data = list(map(int, sys.stdin.read().split()))
n, m = data[:2]
roads = [[] for _ in range(n + 1)]
for i in range(2, 2 + 3 * m, 3):
    roads[data[i]].append((data[i + 1], data[i + 2]))
best, heap = {}, [(0, 1)]
while heap:
    length, town = heapq.heappop(heap)
    if town not in best:
        best[town] = length
        for other, c in roads[town]:
            heapq.heappush(heap, (length + c, other))
print(best.get(n, -1))
