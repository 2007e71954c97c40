# A star without a parameter behind it is an error.
def f(*):
    pass
