import sys
from bisect import bisect_left, insort

n, *numbers = map(int, sys.stdin.buffer.read().split())
seen, count = [], 0
for number in numbers:
    count += bisect_left(seen, number)
    insort(seen, number)
print(count)
