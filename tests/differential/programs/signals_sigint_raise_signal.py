import signal
def f():
    signal.raise_signal(signal.SIGINT)
f()
