# A star import in a function is an error.
def f():
    from os import *
