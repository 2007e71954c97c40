# No check at the lower and right edges.
from collections import deque

rows, cols = map(int, input().split())
grid = [input() for _ in range(rows)]
start = next((r, c) for r in range(rows) for c in range(cols) if grid[r][c] == "S")
dist = {start: 0}
queue = deque([start])
answer = -1
while queue:
    r, c = queue.popleft()
    if grid[r][c] == "E":
        answer = dist[r, c]
    for a, b in ((r + 1, c), (r, c + 1), (r - 1, c), (r, c - 1)):
        if grid[a][b] != "#" and (a, b) not in dist:
            dist[a, b] = dist[r, c] + 1
            queue.append((a, b))
print(answer)
