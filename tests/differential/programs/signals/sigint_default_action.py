# With SIGINT's default action, an interrupt kills the program and buffered text is lost.
import os
import signal
print("buffered and lost")
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGINT)
