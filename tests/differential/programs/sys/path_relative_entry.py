# A relative entry of the path is used for imports.
import os
import sys
os.mkdir("libs")
with open("libs/rel_mod.py", "w") as f:
    f.write("import os\nprint(__name__, os.path.basename(__file__), os.path.isabs(__file__))\n")
sys.path.insert(0, "libs")
import rel_mod
