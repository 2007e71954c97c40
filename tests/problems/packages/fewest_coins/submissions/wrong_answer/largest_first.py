k, s = map(int, input().split())
count = 0
for coin in sorted(map(int, input().split()), reverse=True):
    count += s // coin
    s %= coin
print(count if s == 0 else -1)
