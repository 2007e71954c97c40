import sys


def main():
    data = list(map(int, sys.stdin.read().split()))
    n, cap = data[:2]
    table = [0] * (cap + 1)
    for i in range(n):
        w, v = data[2 + 2 * i], data[3 + 2 * i]
        if w > cap:
            continue
        shifted = [x + v for x in table[:cap + 1 - w]]
        table[w:] = map(max, table[w:], shifted)
    print(table[cap])


main()
