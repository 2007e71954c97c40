# Keeps every reachable (weight, worth) pair and never drops a dominated one.
n, cap = map(int, input().split())
states = [(0, 0)]
for _ in range(n):
    w, v = map(int, input().split())
    states += [(a + w, b + v) for a, b in states if a + w <= cap]
print(max(b for _, b in states))
