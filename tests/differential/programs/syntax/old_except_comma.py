# The except clause of Python 2 is an error.
try:
    pass
except ValueError, e:
    pass
