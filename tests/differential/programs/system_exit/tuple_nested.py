# An exit value that is a tuple is printed.
import sys
sys.exit((5,))
