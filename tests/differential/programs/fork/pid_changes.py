# A forked child has its own process id and knows its parent's.
import os
me = os.getpid()
pid = os.fork()
if pid == 0:
    os._exit(0 if os.getppid() == me and os.getpid() != me else 1)
print(os.waitpid(pid, 0)[1], pid != me)
