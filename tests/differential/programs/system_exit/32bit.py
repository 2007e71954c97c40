# An exit code of more than 32 bits keeps its low bits.
import sys
sys.exit(2**32 + 7)
