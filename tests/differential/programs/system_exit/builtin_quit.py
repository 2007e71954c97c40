# The built-in quit() closes stdin and prints its message.
import sys
try:
    quit("bye")
finally:
    print(sys.stdin.closed)
