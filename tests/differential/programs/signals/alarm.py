# An alarm's handler interrupts a sleep with an exception.
import signal
import time
class Timeout(Exception): ...
def handler(n, f):
    raise Timeout("alarm")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    time.sleep(1)
except Timeout as e:
    print("timed out", e)
