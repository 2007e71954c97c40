# With swapped streams, print goes to stderr and the exit message to stdout.
import sys
sys.stdout, sys.stderr = sys.stderr, sys.stdout
print("to fd 2")
raise SystemExit("message to fd 1")
