# Every way of reading an empty standard input returns an empty value.
import sys
print(repr(sys.stdin.read()), repr(sys.stdin.buffer.read()), sys.stdin.readlines())
