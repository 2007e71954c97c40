# An uncaught KeyboardInterrupt prints its traceback and ends as an interrupt.
def f():
    raise KeyboardInterrupt("stop")
f()
