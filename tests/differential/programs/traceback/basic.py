# A traceback shows two nested calls and a division by zero.
def f(x):
    return g(x) + 1
def g(x):
    return 10 / x
f(0)
