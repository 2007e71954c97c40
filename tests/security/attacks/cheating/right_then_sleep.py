# attack: print the right answer and keep running
# contained: a program must end in time
# expect: time_limit_exceeded
# verdict: time_limit_exceeded
# expected: 7
# checker: tokens
# limits: {"wall_time_s": 0.3}

import time

print(7, flush=True)
time.sleep(100)
