import heapq
import sys


def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    n, m = data[:2]
    after = [[] for _ in range(n + 1)]
    waits = [0] * (n + 1)
    for a, b in zip(data[2:2 + 2 * m:2], data[3:3 + 2 * m:2]):
        after[a].append(b)
        waits[b] += 1
    ready = [v for v in range(1, n + 1) if not waits[v]]
    order = []
    while ready:
        v = heapq.heappop(ready)
        order.append(v)
        for u in after[v]:
            waits[u] -= 1
            if not waits[u]:
                heapq.heappush(ready, u)
    print(*order if len(order) == n else ["CYCLE"])


main()
