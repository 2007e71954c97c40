# The default hook meets a closed stderr.
import os
import sys
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
sys.stderr.close()
print("out")
1 / 0
