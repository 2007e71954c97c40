# open(0) reads all and closes descriptor 0, so that input() fails.
import sys
with open(0) as f:
    print(f.read().split(), f.name, f.mode)
try:
    input()
except Exception as e:
    print(type(e).__name__, e)
