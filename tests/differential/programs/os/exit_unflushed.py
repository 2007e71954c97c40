# os._exit loses buffered text; raw writes and stderr are kept.
import os
import sys
print("lost")
sys.stderr.write("kept\n")
os.write(1, b"raw\n")
os._exit(3)
