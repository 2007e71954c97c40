k, s = map(int, input().split())
coins = set(map(int, input().split()))
best = [0] + [10**9] * s
for total in range(1, s + 1):
    best[total] = min((best[total - part] + 1 for part in range(1, total + 1) if part in coins), default=10**9)
print(best[s] if best[s] < 10**9 else -1)
