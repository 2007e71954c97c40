import heapq

n, m = map(int, input().split())
rules = [tuple(map(int, input().split()) for _ in range(m)]
order = list(range(1, n + 1))
heapq.heapify(order)
print(*order)
