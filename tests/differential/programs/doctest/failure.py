# doctest reports a wrong result and the number of failures becomes the exit code.
import doctest
import os
os.dup2(2, 1)
def f(x):
    """
    >>> f(1)
    3
    >>> f("a")
    Traceback (most recent call last):
    TypeError: can only concatenate str (not "int") to str
    """
    return x + 1
raise SystemExit(doctest.testmod()[0])
