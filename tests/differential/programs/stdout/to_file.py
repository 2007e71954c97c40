# Descriptor 1 that is sent to a file takes the printed text.
import os
import sys
fd = os.open("out.txt", os.O_WRONLY | os.O_CREAT)
os.dup2(fd, 1)
print("in the file")
sys.stdout.flush()
sys.stderr.write(repr(open("out.txt").read()) + "\n")
