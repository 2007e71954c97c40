# A forked child inherits the process group and the session.
import os
pid = os.fork()
if pid == 0:
    os._exit(0 if os.getpgid(0) == os.getpgid(os.getppid()) and os.getsid(0) == os.getsid(os.getppid()) else 1)
print(os.waitpid(pid, 0)[1])
