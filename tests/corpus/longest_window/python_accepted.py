import sys


def main():
    data = sys.stdin.buffer.read().split()
    bound = int(data[1])
    values = list(map(int, data[2:]))
    left = total = best = 0
    for right, x in enumerate(values):
        total += x
        while total > bound:
            total -= values[left]
            left += 1
        if right - left >= best:
            best = right - left + 1
    print(best)


main()
