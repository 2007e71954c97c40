import atexit
def f():
    print("f")
atexit.register(f)
atexit.register(print, "kept")
atexit.register(f)
atexit.unregister(f)
