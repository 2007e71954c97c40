# exec loses buffered text and takes over the exit code.
import os
import sys
print("lost in the buffer")
sys.stderr.write("exec next\n")
os.execvp("sh", ["sh", "-c", "echo replaced; exit 9"])
