# attack: raise the CPU time limit, ignore its signal, and spin
# contained: the supervisor's clock ends it
# expect: time_limit_exceeded

import resource
import signal

signal.signal(signal.SIGXCPU, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
while True:
    pass
