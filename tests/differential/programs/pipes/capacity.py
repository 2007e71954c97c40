# A pipe that does not block fills up and raises BlockingIOError.
import os
r, w = os.pipe()
os.set_blocking(w, False)
n = 0
try:
    while True:
        n += os.write(w, b"x" * 4096)
except BlockingIOError as e:
    print(n > 0, n % 4096, e.errno)
