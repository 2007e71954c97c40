# The program ends well with descriptor 2 closed and sys.stderr None.
import os
import sys
sys.stderr.write("before\n")
os.close(2)
sys.stderr = None
print("still fine")
