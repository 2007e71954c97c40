# One step at a time.
k, n = map(int, input().split())
window = list(map(int, input().split()))
coef = list(map(int, input().split()))[::-1]
for _ in range(n):
    window.append(sum(c * w for c, w in zip(coef, window)) % 1000000007)
    del window[0]
print(window[0] % 1000000007)
