# Leaves out the right end of the range (unless that would leave nothing).
n, q = map(int, input().split())
a = list(map(int, input().split()))
for _ in range(q):
    kind, x, y = input().split()
    x, y = int(x), int(y)
    if kind == "U":
        a[x - 1] = y
    else:
        print(min(a[x - 1:y - 1] or a[x - 1:y]))
