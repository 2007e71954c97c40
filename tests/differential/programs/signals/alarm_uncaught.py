# The exception of an alarm's handler leaves an endless loop as a traceback.
import signal
def handler(n, f):
    raise TimeoutError("too slow")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02)
while True:
    pass
