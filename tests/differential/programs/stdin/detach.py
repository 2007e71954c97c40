# A detached buffer of stdin reads on, and sys.stdin refuses to.
import sys
b = sys.stdin.detach()
print(b.read())
try:
    sys.stdin.read()
except ValueError as e:
    print(e)
