# A Python child takes all of the pipe, so that its parent reads nothing.
import subprocess
import sys
subprocess.run([sys.executable, "-c", "print(repr(input()))"])
print(repr(sys.stdin.read()))
