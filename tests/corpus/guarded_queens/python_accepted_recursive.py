def place(row, queens):
    if row == n:
        return 1
    total = 0
    for c in free[row]:
        for r, q in enumerate(queens):
            if q == c or row - r == abs(c - q):
                break
        else:
            total += place(row + 1, queens + [c])
    return total


n = int(input())
free = [[c for c, ch in enumerate(input()) if ch == "."] for _ in range(n)]
print(place(0, []))
