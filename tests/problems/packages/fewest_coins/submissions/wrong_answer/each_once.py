k, s = map(int, input().split())
best = [0] + [10**9] * s
for coin in map(int, input().split()):
    for total in range(s, coin - 1, -1):
        best[total] = min(best[total], best[total - coin] + 1)
print(best[s] if best[s] < 10**9 else -1)
