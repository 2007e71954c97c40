# read(n) counts characters, however many bytes each has.
import sys
for n in (1, 1, 1, 2, 0, -1):
    print(ascii(sys.stdin.read(n)))
