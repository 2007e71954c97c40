# Walks along every path that does not cross itself.
def walk(r, c, steps):
    global best
    if not (0 <= r < rows and 0 <= c < cols) or grid[r][c] == "#":
        return
    if grid[r][c] == "E":
        if best < 0 or steps < best:
            best = steps
        return
    grid[r][c] = "#"
    walk(r + 1, c, steps + 1)
    walk(r - 1, c, steps + 1)
    walk(r, c + 1, steps + 1)
    walk(r, c - 1, steps + 1)
    grid[r][c] = "."


rows, cols = map(int, input().split())
grid = [list(input()) for _ in range(rows)]
best = -1
where = [(r, c) for r in range(rows) for c in range(cols) if grid[r][c] == "S"]
walk(*where[0], 0)
print(best)
