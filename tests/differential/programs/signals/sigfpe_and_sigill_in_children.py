# Eleven fatal signals kill a child with their own numbers.
import os
import signal
for s in (signal.SIGFPE, signal.SIGILL, signal.SIGBUS, signal.SIGTRAP, signal.SIGSYS, signal.SIGXCPU, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPOLL, signal.SIGPWR, signal.SIGSTKFLT):
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), s)
        os._exit(99)
    print(s.name, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
