# A character that is cut off at the end of standard input is escaped.
import sys
print(ascii(sys.stdin.read()))
