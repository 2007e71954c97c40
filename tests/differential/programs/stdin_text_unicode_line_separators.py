import sys
line = sys.stdin.readline()
print(ascii(line), len(line.splitlines()))
