# Rooks, not queens: the diagonals are forgotten.
n = int(input())
board = [input() for _ in range(n)]
ways = {0: 1}
for row in board:
    following = {}
    for used, count in ways.items():
        for c, ch in enumerate(row):
            if ch == "." and not used >> c & 1:
                following[used | 1 << c] = following.get(used | 1 << c, 0) + count
    ways = following
print(sum(ways.values()))
