# A failed flush at exit replaces the exit code of sys.exit.
import os
import sys
print("x")
os.close(1)
sys.exit(9)
