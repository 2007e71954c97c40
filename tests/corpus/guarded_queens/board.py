import random
import sys

n, percent, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
print(n)
for _ in range(n):
    print("".join("#" if rng.randrange(100) < percent else "." for _ in range(n)))
