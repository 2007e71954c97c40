# Exit handlers run in the process that registered them, and the exit code survives.
import atexit
import os
import sys
atexit.register(lambda: sys.stdout.write(f"pid kept {os.getpid() == me}\n"))
me = os.getpid()
sys.exit(77)
