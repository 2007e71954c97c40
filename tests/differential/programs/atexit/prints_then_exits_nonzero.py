# What an exit handler prints is flushed before the program fails with a message.
import atexit
import sys
@atexit.register
def f():
    print("still flushed")
    sys.stderr.write("err\n")
sys.exit("reason")
