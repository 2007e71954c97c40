# An encoding cookie on the third line is ignored, so the Latin-1 byte is an error.

# coding: latin-1
print(ascii("¤"))
