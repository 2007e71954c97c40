# attack: a fork bomb in Python
# contained: RLIMIT_NPROC, then the box's own process limit, and the wall limit
# expect: ok, runtime_error, time_limit_exceeded, memory_limit_exceeded

import os

while True:
    try:
        os.fork()
    except OSError:
        pass
