# A class with the right methods is a Collection, and the list of Exception's subclasses starts clean.
import collections.abc
import numbers
class S:
    def __len__(self): return 0
    def __iter__(self): return iter(())
    def __contains__(self, x): return False
print(isinstance(S(), collections.abc.Collection), issubclass(S, collections.abc.Sequence), isinstance(True, numbers.Integral))
print([c.__name__ for c in Exception.__subclasses__() if c.__module__ == "__main__"], object.__subclasses__()[-1].__name__)
