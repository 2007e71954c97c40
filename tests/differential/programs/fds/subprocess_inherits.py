# A child that inherits descriptors gets 0, 1 and 2 and no other.
import subprocess
import sys
print(subprocess.run([sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"], close_fds=False, stdout=subprocess.PIPE, text=True).stdout)
