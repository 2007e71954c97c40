"""Make a random graph, or a long path in random order: KIND N M SEED."""

import random
import sys

kind, n, m, seed = sys.argv[1], *map(int, sys.argv[2:])
random.seed(seed)
roads = []
if kind == "path":
    roads = [(town, town + 1, 10**9 - town % 7) for town in range(1, n)]
while len(roads) < m:
    a, b = random.randint(1, n), random.randint(1, n)
    roads.append((a, b, 10**9 if kind == "path" and a != b else random.randint(1, 10**6)))
random.shuffle(roads)
print(n, m)
for road in roads:
    print(*road)
