import random
import sys

n, cap, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
print(n, cap)
for _ in range(n):
    w = rng.randrange(1, max(2, 4 * cap // n))
    print(w, w * 50 + rng.randrange(2000))
