n = int(input())
values = []
total = 0
for word in input().split():
    values.append(int(word))
    total += values[-1]
values.sort()
print(total)
for i in range(0, n, 50):
    print(" ".join(str(v) for v in values[i:i + 50]))
