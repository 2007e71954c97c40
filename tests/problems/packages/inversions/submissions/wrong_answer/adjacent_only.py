import sys

n, *numbers = map(int, sys.stdin.buffer.read().split())
print(sum(a > b for a, b in zip(numbers, numbers[1:])))
