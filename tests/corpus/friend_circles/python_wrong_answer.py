# Reads the size at the person instead of at the head of the circle.
n, q = map(int, input().split())
head = list(range(n + 1))
size = [1] * (n + 1)
circles = n


def find(x):
    while head[x] != x:
        x = head[x]
    return x


for _ in range(q):
    event, *who = input().split()
    if event == "J":
        a, b = (find(int(w)) for w in who)
        if a != b:
            head[a] = b
            size[b] += size[a]
            circles -= 1
    elif event == "S":
        print(size[int(who[0])])
    else:
        print(circles)
