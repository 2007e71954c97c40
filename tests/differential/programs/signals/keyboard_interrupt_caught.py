# A raised KeyboardInterrupt can be caught.
try:
    raise KeyboardInterrupt
except KeyboardInterrupt as e:
    print("caught", repr(e))
