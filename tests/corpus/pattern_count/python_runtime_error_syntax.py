text = input()
pattern = input()
count = 0
for i in range(len(text) - len(pattern) + 1)
    if text.startswith(pattern, i):
        count += 1
print(count, 0)
