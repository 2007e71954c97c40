# A real-time signal kills the program.
import os
import signal
os.kill(os.getpid(), signal.SIGRTMIN + 2)
