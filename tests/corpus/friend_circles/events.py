import random
import sys

n, mode, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rng = random.Random(seed)
events = []
if mode == "chain":
    for v in range(1, n):
        events.append(f"J {v} {v + 1}")
    events += ["C", "S 1", f"S {n}"]
else:
    for _ in range(3 * n // 2):
        kind = rng.choice("JJJSC")
        a, b = rng.randrange(1, n + 1), rng.randrange(1, n + 1)
        events.append({"J": f"J {a} {b}", "S": f"S {a}", "C": "C"}[kind])
print(n, len(events))
print("\n".join(events))
