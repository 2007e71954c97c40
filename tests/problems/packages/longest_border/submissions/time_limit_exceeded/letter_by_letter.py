word = input()
n = len(word)
best = 0
for k in range(1, n):
    i = 0
    while i < k and word[i] == word[n - k + i]:
        i += 1
    if i == k:
        best = k
print(best)
