import sys
try:
    quit("bye")
finally:
    print(sys.stdin.closed)
