# Text streams refuse bytes, and binary streams refuse text.
import sys
sys.stdout.writelines(["a\n", "b\n"])
try:
    sys.stdout.write(b"bytes")
except TypeError as e:
    print(e)
try:
    sys.stdout.buffer.write("str")
except TypeError as e:
    print(e)
