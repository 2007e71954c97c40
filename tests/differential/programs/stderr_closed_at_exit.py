import os
import sys
sys.stderr.write("before\n")
os.close(2)
sys.stderr = None
print("still fine")
