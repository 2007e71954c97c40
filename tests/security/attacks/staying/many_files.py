# attack: leave a hundred thousand files, so that cleaning up takes minutes or more memory than is available
# contained: inodes or memory run out first, and removal keeps no list
# expect: ok, memory_limit_exceeded, time_limit_exceeded
# limits: {"cpu_time_s": 2, "wall_time_s": 4}

import os

try:
    for number in range(100_000):
        os.close(os.open(f"f{number}", os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(error)
