import sys

data = list(map(int, sys.stdin.buffer.read().split()))
place = 1
for _ in range(data[0]):
    n, s = data[place : place + 2]
    seen, found = set(), False
    for number in data[place + 2 : place + 2 + n]:
        found = found or s - number in seen
        seen.add(number)
    place += 2 + n
    print("yes" if found else "no")
