# attack: confuse the waiting process with stops and continues
# contained: only an end is reported
# expect: ok
# stdout: fine

import os
import signal

if (child := os.fork()) == 0:
    parent = os.getppid()
    for _ in range(50):
        os.kill(parent, signal.SIGSTOP)
        os.kill(parent, signal.SIGCONT)
    os._exit(0)
os.waitpid(child, 0)
print("fine")
