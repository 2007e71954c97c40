# sys.orig_argv is the command line of python3, even with arguments like -c and -m.
import os
import sys
print(sys.orig_argv[1:])
print(os.path.basename(sys.orig_argv[0]).startswith("python3"))
print(sys.argv)
