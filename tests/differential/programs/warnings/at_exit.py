# Warnings from an exit handler and from a finalizer at exit are shown.
import atexit
import warnings
atexit.register(warnings.warn, "from atexit")
class A:
    def __del__(self):
        warnings.warn("from del at exit")
a = A()
