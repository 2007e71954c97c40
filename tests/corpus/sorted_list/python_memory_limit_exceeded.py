# Counting sort with one counter for each possible value.
n = int(input())
count = [0] * 50000001
total = 0
for word in input().split():
    v = int(word)
    total += v
    count[v] += 1
print(total)
for v, c in enumerate(count):
    for _ in range(c):
        print(v, end=" ")
print()
