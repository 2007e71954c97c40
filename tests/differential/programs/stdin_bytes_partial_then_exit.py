import sys
print(repr(sys.stdin.readline()))
sys.exit(4)
