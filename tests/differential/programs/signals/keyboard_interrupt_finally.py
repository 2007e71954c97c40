# An uncaught KeyboardInterrupt runs finally blocks and ends as an interrupt.
try:
    raise KeyboardInterrupt
finally:
    print("cleanup")
