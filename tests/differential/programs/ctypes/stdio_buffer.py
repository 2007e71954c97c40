# Text in the buffer of C's stdio is written at exit, in the usual order.
import ctypes
import os
libc = ctypes.CDLL(None)
libc.printf(b"C stdio, flushed at exit\n")
print("python stdio")
os.write(1, b"raw first\n")
