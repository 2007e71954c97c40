# print after detach() fails, and so does the flush at exit.
import sys
b = sys.stdout.detach()
print("x")
