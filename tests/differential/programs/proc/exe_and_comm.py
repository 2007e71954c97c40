# The kernel names python3 as the executable.
import os
import sys
print(os.path.realpath("/proc/self/exe") == os.path.realpath(sys.executable))
print(open("/proc/self/comm").read().startswith("python3"))
