# sys.executable is python3 of the same installation.
import os
import sys
print(os.path.basename(sys.executable).startswith("python3"), os.path.isabs(sys.executable), os.access(sys.executable, os.X_OK))
print(sys._base_executable == sys.executable, sys.prefix == sys.base_prefix, sys.exec_prefix == sys.prefix)
