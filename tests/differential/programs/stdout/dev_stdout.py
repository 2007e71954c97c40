# /dev/stdout and /dev/stderr write to the same pipes.
import sys
print("buffered")
with open("/dev/stdout", "w") as f:
    f.write("through /dev/stdout\n")
with open("/dev/stderr", "w") as f:
    f.write("through /dev/stderr\n")
