"""Make random cases, about half of them with a pair: T N SEED."""

import random
import sys

t, n, seed = map(int, sys.argv[1:])
random.seed(seed)
print(t)
for case in range(t):
    numbers = [2 * random.randint(-(10**8), 10**8) for _ in range(n)]
    print(n, numbers[-1] + numbers[-2] + case % 2)
    print(*numbers)
