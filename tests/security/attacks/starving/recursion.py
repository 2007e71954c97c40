# attack: recurse without end with the recursion limit raised
# contained: the memory limit or the stack's end
# expect: runtime_error, memory_limit_exceeded

import sys

sys.setrecursionlimit(10**9)


def deeper(n):
    return deeper(n + 1) + 1


deeper(0)
