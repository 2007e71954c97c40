# exit() of the C library flushes C's buffers and sets the exit code.
import ctypes
libc = ctypes.CDLL(None)
libc.puts(b"from puts")
libc.exit(7)
