# For a range of one element the slice is empty.
n, q = map(int, input().split())
a = list(map(int, input().split()))
for _ in range(q):
    kind, x, y = input().split()
    x, y = int(x), int(y)
    if kind == "U":
        a[x - 1] = y
    else:
        print(min(min(a[x - 1:y - 1]), a[y - 1]))
