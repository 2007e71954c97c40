# An exception as the exit value is printed as a message.
import sys
try:
    int("x")
except ValueError as e:
    sys.exit(e)
