# str.count does not see overlapping occurrences.
text = input()
pattern = input()
border = 0
for size in range(1, min(len(pattern), 2000)):
    if pattern.endswith(pattern[:size]):
        border = size
print(text.count(pattern), border)
