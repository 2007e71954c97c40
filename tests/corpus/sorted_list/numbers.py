import random
import sys

n, seed, mode = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rng = random.Random(seed)
values = [rng.randrange(50000001) for _ in range(n)]
if mode == "ascending":
    values.sort()
print(n)
print(*values)
