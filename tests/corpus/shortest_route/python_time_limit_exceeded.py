# Tries every simple path with an explicit stack.
import sys


def main():
    data = list(map(int, sys.stdin.read().split()))
    n, m, s, t = data[:4]
    graph = [[] for _ in range(n + 1)]
    for i in range(m):
        a, b, w = data[4 + 3 * i:7 + 3 * i]
        graph[a].append((b, w))
        graph[b].append((a, w))
    best = -1
    on_path = [False] * (n + 1)
    on_path[s] = True
    stack = [(s, 0, iter(graph[s]))]
    while stack:
        v, d, edges = stack[-1]
        if v == t and (best < 0 or d < best):
            best = d
        for u, w in edges:
            if not on_path[u]:
                on_path[u] = True
                stack.append((u, d + w, iter(graph[u])))
                break
        else:
            on_path[v] = False
            stack.pop()
    print(best)


main()
