# Saves the complete state before each event, in case somebody wants to undo it.
import sys

read = sys.stdin.readline
n, q = map(int, read().split())
head = list(range(n + 1))
size = [1] * (n + 1)
circles = n
undo = []


def find(x):
    while head[x] != x:
        x = head[x]
    return x


for _ in range(q):
    undo.append((head[:], size[:], circles))
    event, *who = read().split()
    if event == "J":
        a, b = find(int(who[0])), find(int(who[1]))
        if a != b:
            if size[a] > size[b]:
                a, b = b, a
            head[a] = b
            size[b] += size[a]
            circles -= 1
    elif event == "S":
        print(size[find(int(who[0]))])
    else:
        print(circles)
