import collections
import collections.abc
class L(collections.UserList): ...
print(isinstance(L(), collections.abc.MutableSequence), [c.__name__ for c in collections.UserList.__subclasses__()])
