# A stream that is reconfigured to line buffering flushes at each newline.
import os
import sys
sys.stdout.reconfigure(line_buffering=True)
print("line one")
os.write(1, b"raw\n")
sys.stdout.write("partial")
os.write(1, b"raw2\n")
print(sys.stdout.line_buffering)
