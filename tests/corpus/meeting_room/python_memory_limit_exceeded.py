# Writes down all pairs that fit together, then looks for the longest chain.
n = int(input())
meetings = sorted(tuple(map(int, input().split())) for _ in range(n))
edges = []
for i, (start, end) in enumerate(meetings):
    edges += [(i, j) for j in range(i + 1, n) if meetings[j][0] >= end]
longest = [1] * n
for i, j in reversed(edges):
    longest[i] = max(longest[i], longest[j] + 1)
print(max(longest, default=0))
