# Generic classes, typed dictionaries and named tuples belong to __main__.
import typing
from typing import Generic, NamedTuple, Protocol, TypedDict, TypeVar
T = TypeVar("T")
class Box(Generic[T]): ...
class Pt(NamedTuple):
    x: int
class D(TypedDict):
    k: "Box[int]"
print(T, Box[int], Pt(1), typing.get_type_hints(D), D.__module__, T.__module__)
