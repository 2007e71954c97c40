# Finalizers run at exit in order with other exit handlers, unless their atexit flag is off.
import atexit
import weakref
class A: ...
a, b, c = A(), A(), A()
weakref.finalize(a, print, "finalize a")
atexit.register(print, "atexit between")
weakref.finalize(b, print, "finalize b")
f = weakref.finalize(c, print, "finalize c")
f.atexit = False
print("main")
