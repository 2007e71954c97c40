# readline and readlines honor their size limits.
import sys
print(repr(sys.stdin.readline(3)), repr(sys.stdin.readline(100)), sys.stdin.readlines(1))
