# An uncaught subclass of KeyboardInterrupt exits with code 1, not as an interrupt.
class K(KeyboardInterrupt):
    pass
raise K("sub")
