# A read that a handled signal interrupts is repeated.
import os
import signal
r, w = os.pipe()
def handler(*a):
    os.write(w, b"from handler")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
print(os.read(r, 100))
