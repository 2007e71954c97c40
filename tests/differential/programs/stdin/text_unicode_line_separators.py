# Unicode line separators do not end a line of standard input.
import sys
line = sys.stdin.readline()
print(ascii(line), len(line.splitlines()))
