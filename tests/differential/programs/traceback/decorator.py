# A traceback passes through a decorator.
import functools
def deco(f):
    @functools.wraps(f)
    def inner(*a):
        return f(*a)
    return inner
@deco
def work(x):
    return x["k"]
work([])
