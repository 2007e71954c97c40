# attack: stop the program's own process, so that waiting for its end never returns
# contained: the wall limit
# expect: time_limit_exceeded
# limits: {"wall_time_s": 0.5}

import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
