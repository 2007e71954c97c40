import heapq
import sys


def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    n, m, s, t = data[:4]
    graph = [[] for _ in range(n + 1)]
    for i in range(4, 4 + 3 * m, 3):
        a, b, w = data[i:i + 3]
        graph[a].append((b, w))
        graph[b].append((a, w))
    inf = 1 << 60
    dist = [inf] * (n + 1)
    dist[s] = 0
    heap = [(0, s)]
    while heap:
        d, v = heapq.heappop(heap)
        if d > dist[v]:
            continue
        if v == t:
            break
        for u, w in graph[v]:
            if d + w < dist[u]:
                dist[u] = d + w
                heapq.heappush(heap, (d + w, u))
    print(dist[t] if dist[t] < inf else -1)


main()
