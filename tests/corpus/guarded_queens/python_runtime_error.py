# The recursion has no end: rows beyond the board are tried as well.
def place(row, queens):
    count = 1 if row == n else 0
    for c in range(n):
        if all(q != c and abs(q - c) != row - r for r, q in queens) and board[row][c] == ".":
            count += place(row + 1, queens + [(row, c)])
    return count + place(row, queens)


n = int(input())
board = [input() for _ in range(n)]
print(place(0, []))
