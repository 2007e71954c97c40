"""Make random points: N BOUND SEED."""

import random
import sys

n, bound, seed = map(int, sys.argv[1:])
random.seed(seed)
print(n)
for _ in range(n):
    print(random.randint(-bound, bound), random.randint(-bound, bound))
