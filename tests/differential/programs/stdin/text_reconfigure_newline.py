# With newline="" every kind of line end ends a line and is kept.
import sys
sys.stdin.reconfigure(newline="")
print(sys.stdin.readlines())
