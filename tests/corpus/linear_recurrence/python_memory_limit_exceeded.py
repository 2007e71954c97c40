# Keeps the window of every step in a dictionary.
k, n = map(int, input().split())
window = tuple(map(int, input().split()))
coef = list(map(int, input().split()))
memo = {0: window}
i = 0
while i < n:
    new = 0
    for j in range(k):
        new += coef[j] * window[k - 1 - j]
    window = (*window[1:], new % 1000000007)
    i += 1
    memo[i] = window
print(memo[n][0] % 1000000007)
