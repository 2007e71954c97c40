# No descriptor above 2 is in use.
import os
bad = []
for fd in range(3, 256):
    try:
        os.fstat(fd)
        bad.append(fd)
    except OSError:
        pass
print(bad)
