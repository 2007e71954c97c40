# doctest's verbose report names the module __main__.
import doctest
def f(x):
    """
    >>> print(f(1), __name__)
    2 __main__
    """
    return x + 1
doctest.testmod(verbose=True)
