"""Make random or falling numbers: KIND N SEED."""

import random
import sys

kind, n, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
print(n)
print(*(n - i if kind == "down" else random.randint(-(10**9), 10**9) for i in range(n)))
