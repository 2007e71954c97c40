# The flush at exit to a full device: exit code 120 and a message.
import os
fd = os.open("/dev/full", os.O_WRONLY)
os.dup2(fd, 1)
print("no space")
