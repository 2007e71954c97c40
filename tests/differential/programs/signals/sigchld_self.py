# SIGCHLD, SIGWINCH and SIGCONT leave the program alive.
import os
import signal
os.kill(os.getpid(), signal.SIGCHLD)
os.kill(os.getpid(), signal.SIGWINCH)
os.kill(os.getpid(), signal.SIGCONT)
print("survived")
