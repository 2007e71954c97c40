# Null and control characters in lines do not end them.
import sys
print([ascii(x) for x in sys.stdin])
