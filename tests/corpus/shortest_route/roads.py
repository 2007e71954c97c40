import random
import sys

n, m, seed = (int(x) for x in sys.argv[1:4])
rng = random.Random(seed)
out = [f"{n} {m} 1 {n}"]
for v in range(2, n + 1):
    out.append(f"{rng.randrange(max(1, v - 40), v)} {v} {rng.randrange(1, 1000000)}")
for _ in range(m - (n - 1)):
    a = rng.randrange(1, n + 1)
    b = min(n, a + rng.randrange(1, 60))
    out.append(f"{a} {b} {rng.randrange(1, 1000000)}")
print("\n".join(out))
