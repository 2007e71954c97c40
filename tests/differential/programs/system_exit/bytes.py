# An exit message of bytes is printed as its repr.
import sys
sys.exit(b"bytes\xff")
