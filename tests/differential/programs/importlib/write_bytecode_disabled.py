# dont_write_bytecode prevents the cache of bytecode.
import os
import sys
sys.dont_write_bytecode = True
with open("nopyc.py", "w") as f:
    f.write("x = 1\n")
import nopyc
print(nopyc.x, os.path.exists("__pycache__"))
