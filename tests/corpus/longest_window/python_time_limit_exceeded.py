# Adds up each block from scratch, shortest blocks first.
n, bound = map(int, input().split())
a = list(map(int, input().split()))
best = 0
for length in range(1, n + 1):
    for left in range(n - length + 1):
        total = 0
        for x in a[left:left + length]:
            total += x
        if total <= bound:
            best = length
print(best)
