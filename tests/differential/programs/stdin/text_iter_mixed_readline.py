# Iteration, readline, input and read take turns on one stream.
import sys
it = iter(sys.stdin)
print(repr(next(it)))
print(repr(sys.stdin.readline()))
print(repr(input()))
print(repr(sys.stdin.read(1)))
print(list(sys.stdin))
