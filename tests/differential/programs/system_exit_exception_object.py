import sys
try:
    int("x")
except ValueError as e:
    sys.exit(e)
