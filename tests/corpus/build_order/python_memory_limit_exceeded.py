# n by n table of booleans, one list entry for every pair of tasks.
n, m = map(int, input().split())
before = [[False] * (n + 1) for _ in range(n + 1)]
for _ in range(m):
    a, b = map(int, input().split())
    before[b][a] = True
left = list(range(1, n + 1))
order = []
while left:
    for v in left:
        if not any(before[v][u] for u in left):
            order.append(v)
            left.remove(v)
            break
    else:
        order = ["CYCLE"]
        break
print(*order)
