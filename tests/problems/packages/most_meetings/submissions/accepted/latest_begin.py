import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
count, free = 0, 10**9
for begin, end in sorted(zip(rest[::2], rest[1::2]), reverse=True):
    if end <= free:
        count, free = count + 1, begin
print(count)
