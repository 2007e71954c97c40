# attack: open an unlimited number of descriptors
# contained: RLIMIT_NOFILE
# expect: ok
# stdout: contained

import os

count = 0
try:
    while count < 100_000:
        os.open("/dev/null", os.O_RDONLY)
        count += 1
except OSError:
    pass
print("ESCAPED" if count > 1024 else "contained")
