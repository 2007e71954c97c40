k, s = map(int, input().split())
coins = list(map(int, input().split()))
INFINITE = 10**9
best = [0] + [INFINITE] * s
for coin in coins:
    for total in range(coin, s + 1):
        candidate = best[total - coin] + 1
        if candidate < best[total]:
            best[total] = candidate
print(best[s] if best[s] < INFINITE else -1)
