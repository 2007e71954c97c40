k, s = map(int, input().split())
ways = [1] + [0] * s
for coin in map(int, input().split()):
    for total in range(coin, s + 1):
        ways[total] += ways[total - coin]
print(ways[s] or -1)
