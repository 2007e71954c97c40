seen = set()
for _ in range(int(input())):
    n, s = map(int, input().split())
    found = False
    for number in map(int, input().split()):
        found = found or s - number in seen
        seen.add(number)
    print("yes" if found else "no")
