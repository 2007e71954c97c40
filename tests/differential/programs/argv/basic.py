# Arguments arrive as strings: with a space, with an accent and empty.
import sys
print(len(sys.argv), sys.argv)
print(type(sys.argv).__name__, [type(a).__name__ for a in sys.argv])
