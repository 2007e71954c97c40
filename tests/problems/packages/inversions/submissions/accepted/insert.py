import sys
from bisect import bisect_right, insort

n, *numbers = map(int, sys.stdin.buffer.read().split())
seen, count = [], 0
for number in numbers:
    count += len(seen) - bisect_right(seen, number)
    insort(seen, number)
print(count)
