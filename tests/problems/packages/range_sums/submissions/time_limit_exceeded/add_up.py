import sys

data = list(map(int, sys.stdin.buffer.read().split()))
n, q = data[:2]
numbers, queries = data[2 : 2 + n], data[2 + n :]
for l, r in zip(queries[::2], queries[1::2]):
    print(sum(numbers[l - 1 : r]))
