# With stderr sent to stdout, lines of both appear in the usual order.
import os
import sys
os.dup2(1, 2)
print("out 1")
sys.stderr.write("err 1\n")
print("out 2", flush=True)
sys.stderr.write("err partial")
print("out 3")
sys.stderr.write(" rest\n")
