def main():
    input()
    values = set(map(int, input().split()))
    best = 0
    for bit in range(28, -1, -1):
        heads = {v >> bit for v in values}
        wanted = best << 1 | 1
        best <<= 1
        for h in heads:
            if h ^ wanted in heads:
                best = wanted
                break
    print(best)


main()
