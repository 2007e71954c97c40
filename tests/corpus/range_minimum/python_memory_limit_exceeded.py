# Keeps every old version of the array.
n, q = map(int, input().split())
versions = [list(map(int, input().split()))]
for _ in range(q):
    kind, x, y = input().split()
    x, y = int(x), int(y)
    if kind == "U":
        fresh = versions[-1].copy()
        fresh[x - 1] = y
        versions.append(fresh)
    elif x == y:
        print(versions[-1][x - 1])
    else:
        print(min(versions[-1][x - 1:y]))
