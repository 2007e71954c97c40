# unregister removes every registration of a handler and keeps the others.
import atexit
def f():
    print("f")
atexit.register(f)
atexit.register(print, "kept")
atexit.register(f)
atexit.unregister(f)
