# Breadth-first search in which each queue entry owns a copy of the maze with its path walled off.
from collections import deque

rows, cols = map(int, input().split())
wide = cols + 1
maze = "#" * wide + "".join(input() + "#" for _ in range(rows)) + "#" * wide
start, goal = maze.index("S"), maze.index("E")
queue = deque([(start, 0, bytearray(maze, "ascii"))])
answer = -1
while queue:
    at, steps, cells = queue.popleft()
    if at == goal:
        answer = steps
        break
    cells[at] = 35
    for to in (at + 1, at + wide, at - 1, at - wide):
        if cells[to] != 35:
            queue.append((to, steps + 1, cells[:]))
print(answer)
