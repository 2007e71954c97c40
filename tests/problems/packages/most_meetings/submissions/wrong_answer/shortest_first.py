import sys

n, *rest = map(int, sys.stdin.buffer.read().split())
taken = []
for length, begin, end in sorted((end - begin, begin, end) for begin, end in zip(rest[::2], rest[1::2]))[:2000]:
    if all(end <= other or begin >= last for other, last in taken):
        taken.append((begin, end))
print(len(taken))
