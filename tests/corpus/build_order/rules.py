import random
import sys

n, m, seed = map(int, sys.argv[1:4])
rng = random.Random(seed)
name = list(range(1, n + 1))
rng.shuffle(name)
print(n, m)
for i in range(m):
    a = rng.randrange(n - 1)
    b = rng.randrange(a + 1, min(n, a + 20))
    print(name[a], name[b])
