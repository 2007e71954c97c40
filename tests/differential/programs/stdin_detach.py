import sys
b = sys.stdin.detach()
print(b.read())
try:
    sys.stdin.read()
except ValueError as e:
    print(e)
