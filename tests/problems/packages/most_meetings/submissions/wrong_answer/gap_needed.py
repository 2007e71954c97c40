import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
count, free = 0, -1
for end, begin in sorted(zip(rest[1::2], rest[::2])):
    if begin > free:
        count, free = count + 1, end
print(count)
