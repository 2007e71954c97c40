# Rebuilds a sparse table after every update.
def build(a):
    table = [a]
    width = 1
    while 2 * width <= len(a):
        last = table[-1]
        table.append([min(last[i], last[i + width]) for i in range(len(last) - width)])
        width *= 2
    return table


def main():
    n, q = map(int, input().split())
    a = list(map(int, input().split()))
    table = build(a)
    for _ in range(q):
        kind, x, y = input().split()
        x, y = int(x), int(y)
        if kind == "U":
            a[x - 1] = y
            table = build(a)
        else:
            level = (y - x + 1).bit_length() - 1
            print(min(table[level][x - 1], table[level][y - (1 << level)]))


main()
