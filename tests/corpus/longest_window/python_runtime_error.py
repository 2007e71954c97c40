# When no block fits, best is still None.
n, bound = map(int, input().split())
a = list(map(int, input().split()))
best = None
left = total = 0
for right in range(n):
    total += a[right]
    while total > bound:
        total -= a[left]
        left += 1
    if left <= right and (best is None or right - left > best[1] - best[0]):
        best = (left, right)
print(best[1] - best[0] + 1)
