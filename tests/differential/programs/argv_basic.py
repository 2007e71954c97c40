import sys
print(len(sys.argv), sys.argv)
print(type(sys.argv).__name__, [type(a).__name__ for a in sys.argv])
