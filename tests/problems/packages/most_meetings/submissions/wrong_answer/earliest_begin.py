import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
count, free = 0, 0
for begin, end in sorted(zip(rest[::2], rest[1::2])):
    if begin >= free:
        count, free = count + 1, end
print(count)
