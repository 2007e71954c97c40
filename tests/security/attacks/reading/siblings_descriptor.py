# attack: read one's own output pipe to find what an earlier run wrote
# contained: pipes are new forevery run
# expect: ok
# victim: true
# stdout: contained

import os

pipe = os.open("/dev/stdout", os.O_RDONLY | os.O_NONBLOCK)
try:
    found = os.read(pipe, 4096)
except OSError:
    found = b""
print("ESCAPED" if found else "contained")
