# The ABC registry and UserList's subclasses are those of a new interpreter.
import collections
import collections.abc
class L(collections.UserList): ...
print(isinstance(L(), collections.abc.MutableSequence), [c.__name__ for c in collections.UserList.__subclasses__()])
