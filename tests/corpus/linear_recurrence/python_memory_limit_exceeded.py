# Prepares a memo with an entry for each index up to n.
k, n = map(int, input().split())
start = list(map(int, input().split()))
coef = list(map(int, input().split()))
memo = dict.fromkeys(range(n + 1))
for i in range(n + 1):
    if i < k:
        memo[i] = start[i] % 1000000007
    else:
        memo[i] = sum(coef[j] * memo[i - 1 - j] for j in range(k)) % 1000000007
print(memo[n])
