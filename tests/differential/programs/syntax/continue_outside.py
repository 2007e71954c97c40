# continue outside a loop is an error.
def f():
    continue
