"""Make random numbers and long ranges: N Q SEED."""

import random
import sys

n, q, seed = map(int, sys.argv[1:])
random.seed(seed)
print(n, q)
print(*(random.randint(-(10**9), 10**9) for _ in range(n)))
for _ in range(q):
    print(random.randint(1, (n + 9) // 10), random.randint(n - n // 10, n))
