"""Repeat a word up to a length, with b at the end if LAST is 1: WORD LENGTH LAST."""

import sys

word, length, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print((word * (length // len(word) + 1))[:length] + "b" * last)
