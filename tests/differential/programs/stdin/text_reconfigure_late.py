# The encoding of stdin cannot change after the first read.
import sys
print(input())
try:
    sys.stdin.reconfigure(encoding="latin-1")
except Exception as e:
    print(type(e).__name__, e)
print(input())
