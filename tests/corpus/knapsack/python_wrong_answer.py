# Greedy by worth per kilogram.
n, cap = map(int, input().split())
things = [tuple(map(int, input().split())) for _ in range(n)]
things.sort(key=lambda t: t[1] / (t[0] or 0.001), reverse=True)
total = 0
for w, v in things:
    if w <= cap:
        cap -= w
        total += v
print(total)
