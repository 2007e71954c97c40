# Prefix sums of each suffix, all kept at once.
from itertools import accumulate

n, bound = map(int, input().split())
a = list(map(int, input().split()))
table = [list(accumulate(a[i:])) for i in range(n)]
print(max(sum(s <= bound for s in row) for row in table))
