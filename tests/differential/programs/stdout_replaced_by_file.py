import sys
import atexit
sys.stdout = open("out.txt", "w")
print("goes to the file")
atexit.register(lambda: sys.__stdout__.write(repr(open("out.txt").read()) + "\n"))
