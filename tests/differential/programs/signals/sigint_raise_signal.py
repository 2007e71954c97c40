# raise_signal(SIGINT) raises KeyboardInterrupt with its traceback.
import signal
def f():
    signal.raise_signal(signal.SIGINT)
f()
