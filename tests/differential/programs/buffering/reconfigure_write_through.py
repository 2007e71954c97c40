# A stream that writes through hands its text to the binary buffer, which keeps it.
import os
import sys
sys.stdout.reconfigure(write_through=True)
sys.stdout.write("partial")
os.write(1, b"<raw>")
sys.stdout.write("\n")
print(sys.stdout.write_through)
