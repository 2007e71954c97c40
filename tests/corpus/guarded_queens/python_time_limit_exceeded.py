# Puts a queen into any column of each row and checks afterwards.
from itertools import product


def fine(columns):
    for r, c in enumerate(columns):
        if board[r][c] == "#":
            return False
    bad = 0
    for r, c in enumerate(columns):
        for s in range(r):
            if columns[s] == c or abs(columns[s] - c) == r - s:
                bad += 1
    return bad == 0


n = int(input())
board = [input() for _ in range(n)]
print(sum(fine(columns) for columns in product(range(n), repeat=n)))
