import sys
print(ascii(input()))
