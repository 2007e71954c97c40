from collections import Counter

for _ in range(int(input())):
    n, s = map(int, input().split())
    counts = Counter(map(int, input().split()))
    print("yes" if any(counts[s - a] > (a == s - a) for a in list(counts)) else "no")
