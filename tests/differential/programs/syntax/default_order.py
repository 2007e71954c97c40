# A parameter without a default after one with a default is an error.
def f(a=1, b):
    pass
