n = int(input())
values = []
for word in input().split():
    values.append(int(word))
assert len(values) == n
values.sort()
print(sum(values))
text = ""
for v in values:
    text += str(v) + " "
print(text)
