import sys

data = list(map(int, sys.stdin.buffer.read().split()))
n, m = data[:2]
roads = [tuple(data[i : i + 3]) for i in range(2, 2 + 3 * m, 3)]
best = [float("inf")] * (n + 1)
best[1] = 0
for _ in range(n):
    for a, b, c in roads:
        best[b] = min(best[b], best[a] + c)
        best[a] = min(best[a], best[b] + c)
print(best[n] if best[n] < float("inf") else -1)
