# An interrupt in an exit handler is reported, and older handlers still run.
import atexit
import signal
class F:
    def __call__(self):
        print("atexit", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("not reached")
    def __repr__(self):
        return "<F>"
atexit.register(print, "older callback")
atexit.register(F())
