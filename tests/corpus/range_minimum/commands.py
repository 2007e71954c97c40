import random
import sys

n, q, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
print(n, q)
print(*(rng.randrange(-10**9, 10**9 + 1) for _ in range(n)))
for _ in range(q):
    if rng.randrange(2):
        print("U", rng.randrange(1, n + 1), rng.randrange(-10**9, 10**9 + 1))
    else:
        left = rng.randrange(1, n + 1)
        print("Q", left, rng.randrange(left, n + 1))
