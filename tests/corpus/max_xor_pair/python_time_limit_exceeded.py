# All pairs, and the highest differing bit is found by hand.
def main():
    n = int(input())
    a = list(map(int, input().split()))
    best = 0
    for x in a:
        for y in a:
            value = 0
            for bit in range(29):
                if (x >> bit & 1) != (y >> bit & 1):
                    value += 1 << bit
            if value > best:
                best = value
    print(best)


main()
