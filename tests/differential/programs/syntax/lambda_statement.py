# A statement in a lambda is an error.
f = lambda: return 1
