# attack: stop oneself, so that waiting for the end lasts for ever
# contained: the wall limit
# expect: time_limit_exceeded
# limits: {"wall_time_s": 0.5}

import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
