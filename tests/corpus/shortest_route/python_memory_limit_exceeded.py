# Adjacency matrix: fine for a village, far too large for ten thousand crossings.
import sys

data = list(map(int, sys.stdin.read().split()))
n, m, s, t = data[:4]
inf = 1 << 60
matrix = [[inf] * (n + 1) for _ in range(n + 1)]
for i in range(m):
    a, b, w = data[4 + 3 * i:7 + 3 * i]
    matrix[a][b] = min(matrix[a][b], w)
    matrix[b][a] = min(matrix[b][a], w)
dist = [inf] * (n + 1)
dist[s] = 0
todo = set(range(1, n + 1))
while todo:
    v = min(todo, key=dist.__getitem__)
    todo.discard(v)
    row = matrix[v]
    for u in todo:
        dist[u] = min(dist[u], dist[v] + row[u])
print(dist[t] if dist[t] < inf else -1)
