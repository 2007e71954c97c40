# The standard streams are the original objects and have the usual repr.
import sys
print(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)
print(repr(sys.stdin), repr(sys.stdout), repr(sys.stderr), sep="\n")
print(repr(sys.stdout.buffer), repr(sys.stdout.buffer.raw), sep="\n")
