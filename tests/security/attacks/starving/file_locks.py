# attack: hold thousands of locks on bytes of files: Linux limits neither their number nor charges their memory
# contained: the supervisor counts them
# expect: memory_limit_exceeded
# limits: {"wall_time_s": 10.0}

import fcntl
import time

files = [open(f"/tmp/locked{number}", "w") for number in range(60)]
for file in files:
    for position in range(100):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 2 * position)
time.sleep(4)
