import sys

data = list(map(int, sys.stdin.buffer.read().split()))
n = data[0]
print(sum(data[1 + data[2 + n] : 2 + data[3 + n]]))
