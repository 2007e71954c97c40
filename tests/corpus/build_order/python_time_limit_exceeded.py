# Tries the orders one after the other.
from itertools import permutations

n, m = map(int, input().split())
rules = [tuple(map(int, input().split())) for _ in range(m)]
for order in permutations(range(1, n + 1)):
    place = {task: i for i, task in enumerate(order)}
    if all(place[a] < place[b] for a, b in rules):
        print(*order)
        break
else:
    print("CYCLE")
