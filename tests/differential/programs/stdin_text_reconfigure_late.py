import sys
print(input())
try:
    sys.stdin.reconfigure(encoding="latin-1")
except Exception as e:
    print(type(e).__name__, e)
print(input())
