import atexit
import sys
@atexit.register
def f():
    print("still flushed")
    sys.stderr.write("err\n")
sys.exit("reason")
