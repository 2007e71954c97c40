# A signal that a child sends to its parent is handled.
import os
import signal
got = []
signal.signal(signal.SIGUSR1, lambda n, f: got.append(n))
pid = os.fork()
if pid == 0:
    os.kill(os.getppid(), signal.SIGUSR1)
    os._exit(0)
os.waitpid(pid, 0)
print(got)
