# A flushed print to a full device raises OSError.
import os
import sys
fd = os.open("/dev/full", os.O_WRONLY)
os.dup2(fd, 1)
print("no space", flush=True)
