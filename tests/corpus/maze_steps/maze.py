import random
import sys

rows, cols, walls, seed = map(int, sys.argv[1:5])
rng = random.Random(seed)
grid = [["#" if rng.randrange(100) < walls else "." for _ in range(cols)] for _ in range(rows)]
r = c = 0
while r < rows - 1 or c < cols - 1:
    grid[r][c] = "."
    if c == cols - 1 or r < rows - 1 and rng.randrange(2):
        r += 1
    else:
        c += 1
grid[0][0] = "S"
grid[-1][-1] = "E"
print(rows, cols)
for row in grid:
    print("".join(row))
