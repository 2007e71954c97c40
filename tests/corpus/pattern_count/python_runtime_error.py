# After a full match the state stays at len(pattern) and the next letter falls off the end.
text = input()
pattern = input()
border = [0] * len(pattern)
k = 0
for i in range(1, len(pattern)):
    while k and pattern[i] != pattern[k]:
        k = border[k - 1]
    k += pattern[i] == pattern[k]
    border[i] = k
count = state = 0
for ch in text:
    while state and pattern[state] != ch:
        state = border[state - 1]
    state += pattern[state] == ch
    count += state == len(pattern)
print(count, border[-1])
