import sys

data = list(map(int, sys.stdin.buffer.read().split()))
meetings = sorted(zip(data[2::2], data[1::2]))
count = 0
free_from = 0
for end, start in meetings:
    if start >= free_from:
        count += 1
        free_from = end
print(count)
