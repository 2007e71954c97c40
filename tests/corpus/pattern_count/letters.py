import random
import sys

mode, n, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
if mode == "same":
    print("a" * n)
    print("a" * (n // 2))
else:
    print("".join(rng.choice("ab") for _ in range(n)))
    print("".join(rng.choice("ab") for _ in range(8)))
