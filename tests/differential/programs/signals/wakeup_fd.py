# A handled signal writes its number to the wakeup descriptor.
import os
import signal
r, w = os.pipe()
os.set_blocking(w, False)
signal.signal(signal.SIGUSR1, lambda *a: None)
signal.set_wakeup_fd(w)
os.kill(os.getpid(), signal.SIGUSR1)
print(os.read(r, 10))
