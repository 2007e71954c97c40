# The prompt of input() comes after text that was printed before.
import os
import sys
os.dup2(1, 2)
print("printed")
sys.stderr.write("err\n")
input("prompt:")
os.write(1, b"raw\n")
