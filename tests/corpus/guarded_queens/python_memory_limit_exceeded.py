# Lists all placements first, then throws the bad ones away.
from itertools import product

n = int(input())
board = [input() for _ in range(n)]
placements = list(product(range(n), repeat=n))
placements = [p for p in placements if all(board[r][c] == "." for r, c in enumerate(p))]
for r in range(n):
    for s in range(r):
        placements = [p for p in placements if p[r] != p[s] and abs(p[r] - p[s]) != r - s]
print(len(placements))
