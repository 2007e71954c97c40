import signal
def handler(n, f):
    raise TimeoutError("too slow")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02)
while True:
    pass
