# An alarm without a handler kills the program with SIGALRM.
import signal
import time
print("flushed", flush=True)
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(1)
print("not reached")
