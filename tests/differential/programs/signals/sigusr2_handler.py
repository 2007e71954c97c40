# A handler receives SIGUSR2, and the program goes on.
import os
import signal
def handler(num, frame):
    print("got", signal.Signals(num).name)
signal.signal(signal.SIGUSR2, handler)
os.kill(os.getpid(), signal.SIGUSR2)
print("after")
