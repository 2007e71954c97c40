# Iteration over standard input returns its lines with newlines.
import sys
total = 0
for line in sys.stdin:
    print(repr(line))
    total += sum(map(int, line.split()))
print(total)
