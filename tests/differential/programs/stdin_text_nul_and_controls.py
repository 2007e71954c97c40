import sys
print([ascii(x) for x in sys.stdin])
