# Recursive find; a long chain is deeper than the recursion limit.
import sys

read = sys.stdin.readline
n, q = map(int, read().split())
head = list(range(n + 1))
size = [1] * (n + 1)
circles = n


def find(x):
    return x if head[x] == x else find(head[x])


for _ in range(q):
    event, *who = read().split()
    if event == "J":
        a, b = find(int(who[0])), find(int(who[1]))
        if a != b:
            head[a] = b
            size[b] += size[a]
            circles -= 1
    elif event == "S":
        print(size[find(int(who[0]))])
    else:
        print(circles)
