# A nonlocal statement without an outer variable is an error.
def f():
    nonlocal missing
    missing = 1
