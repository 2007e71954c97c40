# An error in an exit handler is reported, and the other handlers run.
import atexit
class F:
    def __call__(self):
        raise ValueError("in atexit")
    def __repr__(self):
        return "<F>"
atexit.register(print, "last")
atexit.register(F())
atexit.register(print, "first")
