import random
import sys

n, seed = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
print(n)
for _ in range(n):
    start = rng.randrange(9 * 10**8)
    print(start, start + rng.randrange(1, 10**8 if rng.randrange(3) else 10**5))
