# Demands that the sum is below the bound.
n, bound = map(int, input().split())
a = list(map(int, input().split()))
left = total = best = 0
for right in range(n):
    total += a[right]
    while left <= right and total >= bound:
        total -= a[left]
        left += 1
    best = max(best, right - left + 1)
print(best)
