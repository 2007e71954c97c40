"""Decide how far a test trusts the objects of its program.

The program can return objects with any `__eq__`. The trust level of an object's class therefore determines how the test
may use the object:

- 0, untrusted: the test can hold the object, pass it back, print it, call it, enter it, compare it with other objects
  of the program, and use attributes that no plain value has. It cannot be used as a list or a number.
- 1, named: the test's source names the class in the style of a class (`Stack`, not `solve`). The program implements its
  operators and protocols, also with plain values. But `==` with a plain value is still False.
- 2, trusted: the test uses an attribute that no plain value has, `isinstance` or a subclass, or its source shows that
  it will (`object_factories`). The test expects an object of that class, and the program implements `==`.

The program trusts the test at level 2 from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.runner.rpc.object_factories import PLAIN_VALUE_ATTRIBUTES, find_object_factories
from sandbox.runner.rpc.source_names import BUILTIN_NAMES

UNTRUSTED, NAMED, TRUSTED = 0, 1, 2


class TrustPolicy:
    """The trust rules of one side. They depend only on the source of the test.

    `is_trusting` is True on the program's side, which accepts any object by reference and performs any requested
    operation on its own objects. `own_modules` are the modules of this side's own classes. The test's side also sets
    `expected_names`, the names that its source looks up in the program, and `look_up`, a function that looks up such a
    name.
    """

    own_modules: frozenset[str] = frozenset()
    expected_names: frozenset[str] = frozenset()
    look_up: Callable[[str], Any] = staticmethod(lambda name: None)
    catches_exits = False  # whether the source may catch the SystemExit that a function of the program raises
    _source = ""
    _object_factories: frozenset[str] | None = None

    def __init__(self, is_trusting: bool) -> None:
        self.is_trusting = is_trusting

    def set_source(self, source: str) -> None:
        """Store the source of the test."""
        self._source, self.catches_exits = source, "SystemExit" in source

    @property
    def initial_level(self) -> int:
        """Return the trust level of a class when it is first used."""
        return TRUSTED if self.is_trusting else UNTRUSTED

    def get_level(self, kind: Any) -> int:
        """Return the trust level of a class.

        If the source names the class, look it up first, which may raise its level.
        """
        level: int = getattr(kind, "_trust_level", UNTRUSTED)
        if level == UNTRUSTED and kind.__name__ in self.expected_names and kind.__name__ not in BUILTIN_NAMES:
            self.look_up(kind.__name__)
            level = getattr(kind, "_trust_level", UNTRUSTED)
        return level

    def raise_level(self, found: Any, name: str) -> None:
        """Trust a class that the test has looked up by a name.

        If the name is written like a class name, the level becomes 1. If the source uses the instances as objects, it
        becomes 2. Objects that are not classes are ignored.
        """
        if getattr(found, "_trust_level", NAMED) == UNTRUSTED:
            if self.expects_objects_of((name,)):
                trust_class(found)
            elif name not in BUILTIN_NAMES and (plain := name.lstrip("_"))[:1].isupper() and "_" not in plain:
                type.__setattr__(found, "_trust_level", NAMED)

    def raise_entry_point_level(self, found: Any, names: tuple[str, ...]) -> None:
        """Trust the entry point if it is a class.

        The reward request provides its name, so the spelling does not show whether it is a class.
        """
        if getattr(found, "_trust_level", NAMED) == UNTRUSTED and self.expects_objects_of(names):
            trust_class(found)

    def expects_objects_of(self, names: tuple[str, ...]) -> bool:
        """Return whether the test's source calls one of these names and uses the result as an object."""
        if self._object_factories is None:
            self._object_factories = find_object_factories(self._source) - BUILTIN_NAMES
        return not self._object_factories.isdisjoint(names)

    def may_suppress(self, error: BaseException | None) -> bool:
        """Return whether the other side may suppress an exception that ends a `with` block of this side.

        The program cannot suppress a failed assertion of the test unless the test's source mentions AssertionError.
        """
        if self.is_trusting or error is None:
            return True
        if isinstance(error, Exception) and not isinstance(error, AssertionError):
            return True
        return "AssertionError" in self._source or bool(getattr(error, "_caught", False))

    def replace_stop_iteration(self, error: BaseException) -> BaseException:
        """Return the exception to raise here for one that ended an operation other than an iteration.

        As in a generator, StopIteration becomes a RuntimeError. It would otherwise end a loop of the test, such as
        `all(map(check, cases))`.
        """
        if self.is_trusting or not isinstance(error, StopIteration | StopAsyncIteration):
            return error
        kind = StopIteration if isinstance(error, StopIteration) else StopAsyncIteration
        return error if kind.__name__ in self._source else RuntimeError(f"the program raised {kind.__name__}")


def trust_class(kind: Any) -> None:
    """Raise a class to level 2.

    The test uses it as a class and therefore expects instances that the program implements.
    """
    type.__setattr__(kind, "_trust_level", TRUSTED)


def trust_class_by_attribute(kind: Any, name: str) -> None:
    """Raise a class to level 2 if `name`, an attribute that the test has used, is one that no plain value has."""
    if name not in PLAIN_VALUE_ATTRIBUTES:
        trust_class(kind)
