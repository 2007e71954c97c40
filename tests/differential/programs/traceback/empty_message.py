# An exception without a message shows its class only.
class E(Exception):
    pass
raise E
