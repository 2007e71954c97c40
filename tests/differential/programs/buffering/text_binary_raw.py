# Text, binary and raw writes appear in the order in which their buffers are flushed.
import os
import sys
sys.stdout.write("text\n")
sys.stdout.buffer.write(b"binary\n")
os.write(1, b"raw\n")
sys.stdout.flush()
sys.stdout.buffer.write(b"binary 2\n")
sys.stdout.write("text 2\n")
os.write(1, b"raw 2\n")
