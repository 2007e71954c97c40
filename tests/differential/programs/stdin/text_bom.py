# A byte order mark at the start of standard input is kept.
import sys
print(ascii(input()))
