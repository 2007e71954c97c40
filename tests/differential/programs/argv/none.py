# Without arguments, sys.argv holds the program's name only.
import sys
print(sys.argv)
