# Standard input that is replaced by a file at descriptor level is read by input().
import os
import sys
with open("in.txt", "w") as f:
    f.write("from file\n")
os.dup2(os.open("in.txt", os.O_RDONLY), 0)
print(input(), sys.stdin.seekable())
