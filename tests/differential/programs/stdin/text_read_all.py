# Carriage returns are kept, and reading at the end returns nothing.
import sys
print(repr(sys.stdin.read()), sys.stdin.newlines)
print(repr(sys.stdin.read()), repr(sys.stdin.readline()), sys.stdin.readlines())
