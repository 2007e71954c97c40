import atexit
class F:
    def __call__(self):
        raise ValueError("in atexit")
    def __repr__(self):
        return "<F>"
atexit.register(print, "last")
atexit.register(F())
atexit.register(print, "first")
