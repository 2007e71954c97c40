def main():
    n = int(input())
    free = [sum(1 << c for c, ch in enumerate(input()) if ch == ".") for _ in range(n)]

    def place(row, columns, left, right):
        if row == n:
            return 1
        count = 0
        options = free[row] & ~(columns | left | right)
        while options:
            bit = options & -options
            options -= bit
            count += place(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
        return count

    print(place(0, 0, 0, 0))


main()
