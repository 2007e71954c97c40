# All subsets.
def main():
    n = int(input())
    meetings = sorted(tuple(map(int, input().split())) for _ in range(n))
    best = 0
    for mask in range(1 << n):
        count = last = 0
        for i, (start, end) in enumerate(meetings):
            if mask >> i & 1:
                if start < last:
                    break
                last = end
                count += 1
        else:
            best = max(best, count)
    print(best)


main()
