# A file that is never closed is flushed at exit.
import os
import subprocess
import sys
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"])
    print(repr(open("data.txt").read()))
else:
    f = open("data.txt", "w")
    f.write("not closed explicitly")
