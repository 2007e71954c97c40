# Deferred annotations stay strings, and get_type_hints resolves them.
from __future__ import annotations
import typing
x: int = 1
class C:
    a: list[int]
    b: C
print(__annotations__)
print(typing.get_type_hints(C)["a"], typing.get_type_hints(C)["b"] is C)
print(sorted(globals())[:3])
