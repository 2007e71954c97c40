# The recursion limit has its default value.
import sys
print(sys.getrecursionlimit())
