# Text goes to a file that replaces stdout and is there at exit.
import sys
import atexit
sys.stdout = open("out.txt", "w")
print("goes to the file")
atexit.register(lambda: sys.__stdout__.write(repr(open("out.txt").read()) + "\n"))
