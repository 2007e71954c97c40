# Changes to os.environ reach the C environment, and unsetenv leaves os.environ alone.
import ctypes
import os
os.environ["NEW_VAR"] = "value"
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
print(libc.getenv(b"NEW_VAR"), os.getenv("NEW_VAR"))
os.unsetenv("NEW_VAR")
print(libc.getenv(b"NEW_VAR"), os.environ["NEW_VAR"])
del os.environ["NEW_VAR"]
os.environ["MISSING"]
