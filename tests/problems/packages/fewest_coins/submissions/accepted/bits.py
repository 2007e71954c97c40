k, s = map(int, input().split())
coins = list(map(int, input().split()))
reached, mask, count = 1, (1 << (s + 1)) - 1, 0
while not reached >> s & 1:
    following = reached
    for coin in coins:
        following |= reached << coin
    following &= mask
    count += 1
    if following == reached:
        count = -1
        break
    reached = following
print(count)
