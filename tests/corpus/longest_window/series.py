import random
import sys

n, bound, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
top = min(10**9, 20 * bound // n)
print(n, bound)
print(*(rng.randrange(top + 1) for _ in range(n)))
