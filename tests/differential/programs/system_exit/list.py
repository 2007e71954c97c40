# An exit value that is a list is printed, and the code is 1.
import sys
sys.exit(["a", 1])
