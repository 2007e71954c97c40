# An exit handler closes stdout, and the interpreter ends without a complaint.
import atexit
import sys
@atexit.register
def f():
    sys.stdout.close()
print("x")
