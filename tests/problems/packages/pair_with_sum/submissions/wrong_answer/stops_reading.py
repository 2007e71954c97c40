import sys

lines = sys.stdin.read().split("\n")
place, cases = 1, int(lines[0])
for _ in range(cases):
    n, s = map(int, lines[place].split())
    numbers = list(map(int, lines[place + 1].split()))[:2]
    place += 2
    print("yes" if sum(numbers) == s else "no")
