# Ignores the walls.
rows, cols = map(int, input().split())
grid = [input() for _ in range(rows)]
spot = {}
for r, row in enumerate(grid):
    for c, ch in enumerate(row):
        if ch in "SE":
            spot[ch] = (r, c)
(a, b), (x, y) = spot["S"], spot["E"]
print(abs(a - x) + abs(b - y))
