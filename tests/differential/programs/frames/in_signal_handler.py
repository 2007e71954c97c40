# A signal handler receives the interrupted module frame, which has no caller.
import os
import signal
def handler(num, frame):
    print(num, frame.f_code.co_name, frame.f_back)
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
