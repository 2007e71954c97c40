# print without sys.stdout raises RuntimeError.
import sys
del sys.stdout
print("x")
