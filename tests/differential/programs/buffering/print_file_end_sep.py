# print honors sep, end and file, also when they are None.
import sys
print("a", "b", sep="-", end="!\n")
print(end="")
print()
print("err", file=sys.stderr, end="")
print("x", file=None)
print(1, None, sep=None, end=None)
