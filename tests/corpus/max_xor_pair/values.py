import random
import sys

n, seed = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
base = rng.randrange(1 << 29) & ~((1 << 24) - 1)
print(n)
print(*(base | rng.randrange(1 << 24) for _ in range(n)))
