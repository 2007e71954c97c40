import random
import sys

n, span, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
print(n)
for _ in range(n):
    print(rng.randrange(-span, span + 1), rng.randrange(-span, span + 1))
