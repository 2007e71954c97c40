import atexit
import sys
@atexit.register
def f():
    sys.stdout.close()
print("x")
