# After detach() the buffer still writes, while sys.stdout refuses text and fails at exit.
import sys
b = sys.stdout.detach()
b.write(b"through the detached buffer\n")
try:
    sys.stdout.write("x")
except ValueError as e:
    b.write(str(e).encode() + b"\n")
