"""Make coins of random values: K S SEED."""

import random
import sys

k, s, seed = map(int, sys.argv[1:])
random.seed(seed)
print(k, s)
print(*random.sample(range(13, 400), k))
