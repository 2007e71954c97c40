import subprocess
import sys
subprocess.run([sys.executable, "-c", "print(repr(input()))"])
print(repr(sys.stdin.read()))
