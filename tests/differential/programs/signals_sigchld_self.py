import os
import signal
os.kill(os.getpid(), signal.SIGCHLD)
os.kill(os.getpid(), signal.SIGWINCH)
os.kill(os.getpid(), signal.SIGCONT)
print("survived")
