import sys
print(input())
print(repr(sys.stdin.buffer.read()))
print(repr(sys.stdin.read()))
