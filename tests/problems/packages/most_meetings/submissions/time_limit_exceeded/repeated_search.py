import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
left = list(zip(rest[::2], rest[1::2]))
count, free = 0, 0
while True:
    left = [meeting for meeting in left if meeting[0] >= free]
    if not left:
        break
    free = min(end for begin, end in left)
    count += 1
print(count)
