# Two parameters of one name are an error.
def f(a, a):
    pass
