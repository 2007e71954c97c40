# doctest passes the examples of the module and of a function.
"""
>>> double(4)
8
"""
import doctest
def double(x):
    """
    >>> double(2)
    4
    """
    return x * 2
print(doctest.testmod(verbose=False))
