# The program replaces itself with another run of its own file.
import os
import sys
if len(sys.argv) == 1:
    print("first", flush=True)
    os.execv(sys.executable, [sys.executable, __file__, "second"])
print(sys.argv[1], __name__)
