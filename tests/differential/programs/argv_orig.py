import os
import sys
print(sys.orig_argv[1:])
print(os.path.basename(sys.orig_argv[0]).startswith("python3"))
print(sys.argv)
