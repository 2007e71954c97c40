import sys

n, *numbers = map(int, sys.stdin.buffer.read().split())
print(sum(sum(number > other for other in numbers[i:]) for i, number in enumerate(numbers)))
