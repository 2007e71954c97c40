# attack: raise the CPU time limit, ignore its signal, and spin
# contained: the supervisor's clock ends it
# expect: time_limit_exceeded
# limits: {"cpu_time_s": 0.3}

import resource
import signal

signal.signal(signal.SIGXCPU, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
while True:
    pass
