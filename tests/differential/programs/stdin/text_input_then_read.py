# input() takes one line, and the rest stays in the text layer.
import sys
print(input())
print(repr(sys.stdin.buffer.read()))
print(repr(sys.stdin.read()))
