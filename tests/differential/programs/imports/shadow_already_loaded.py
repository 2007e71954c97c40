# A local os.py does not replace the module that is already loaded.
with open("os.py", "w") as f:
    f.write("raise RuntimeError('must not be imported')\n")
with open("sys.py", "w") as f:
    f.write("raise RuntimeError('must not be imported')\n")
import os
import sys
print(os.__name__, sys.__name__, hasattr(os, "getcwd"))
