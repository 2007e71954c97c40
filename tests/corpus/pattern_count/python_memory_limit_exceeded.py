# Builds the list of all suffixes.
text = input()
pattern = input()
suffixes = sorted(text[i:] for i in range(len(text)))
count = sum(s.startswith(pattern) for s in suffixes)
border = 0
for size in range(1, len(pattern)):
    if pattern.endswith(pattern[:size]):
        border = size
print(count, border)
