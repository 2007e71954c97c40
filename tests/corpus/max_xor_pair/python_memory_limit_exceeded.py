# A list of the xor values of all pairs.
n = int(input())
values = list(map(int, input().split()))
pairs = []
for x in values:
    pairs += [x ^ y for y in values]
print(max(pairs))
