# Named tuples, enums and new types take __main__ from the caller's frame.
import collections
import enum
import typing
P = collections.namedtuple("P", "x y")
E = enum.Enum("E", "A B")
T = typing.NewType("T", int)
print(P.__module__, E.__module__, T.__module__, P(1, 2), E.A, T)
