# Breadth-first search in which each queue entry owns the set of squares on its path.
from collections import deque

rows, cols = map(int, input().split())
grid = [input() for _ in range(rows)]
start = next((r, c) for r in range(rows) for c in range(cols) if grid[r][c] == "S")
queue = deque([(start, {start})])
answer = -1
while queue:
    (r, c), path = queue.popleft()
    if grid[r][c] == "E":
        answer = len(path) - 1
        break
    for a, b in ((r + 1, c), (r, c + 1), (r - 1, c), (r, c - 1)):
        if 0 <= a < rows and 0 <= b < cols and grid[a][b] != "#" and (a, b) not in path:
            queue.append(((a, b), path | {(a, b)}))
print(answer)
