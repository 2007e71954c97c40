import os
import sys
print("x")
os.closerange(0, 3)
sys.exit(3)
