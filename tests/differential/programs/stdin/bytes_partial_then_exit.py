# A program that reads one line of many exits with its own code.
import sys
print(repr(sys.stdin.readline()))
sys.exit(4)
