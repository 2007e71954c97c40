# Text that cannot be flushed to a closed descriptor changes the exit code.
import os
import sys
print("x")
os.closerange(0, 3)
sys.exit(3)
