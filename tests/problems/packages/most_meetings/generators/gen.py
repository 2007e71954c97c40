"""Make random meetings, most of them short: N LAST SEED."""

import random
import sys

n, last, seed = map(int, sys.argv[1:])
random.seed(seed)
print(n)
for _ in range(n):
    begin = random.randrange(last)
    print(begin, min(last, begin + random.randint(1, max(2, last // n * 3))))
