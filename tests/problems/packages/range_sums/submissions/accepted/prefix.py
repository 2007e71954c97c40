import sys
from itertools import accumulate

data = list(map(int, sys.stdin.buffer.read().split()))
n, q = data[:2]
sums = [0, *accumulate(data[2 : 2 + n])]
queries = data[2 + n :]
print("\n".join(str(sums[r] - sums[l - 1]) for l, r in zip(queries[::2], queries[1::2])))
