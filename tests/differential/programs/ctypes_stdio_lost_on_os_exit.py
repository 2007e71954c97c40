import ctypes
import os
libc = ctypes.CDLL(None)
libc.printf(b"lost\n")
os.write(1, b"raw\n")
os._exit(0)
