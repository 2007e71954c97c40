"""Restrict what a program may do with the objects of its test: it may use them, but not read or change the test.

A program may call, iterate over, calculate with and compare the objects it receives. It may not act on anything else,
because an operation on a path, class or text of its own choosing would take effect in the test's process. It can read
public attributes. It can set attributes that are not methods, because a test may expect it to link the nodes of a list.
It cannot reach any frame, module or code, and it cannot replace a method that the test will call.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Sequence
from typing import Any

from sandbox.runner.rpc.special_methods import OPERATORS

OPAQUE_TYPES = (
    types.FrameType,
    types.TracebackType,
    types.ModuleType,
    types.CodeType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
)
GENERATOR_METHODS = frozenset({"send", "throw", "close", "asend", "athrow", "aclose"})
MOCK_MODULE = "unittest.mock"  # a mock can imitate any value, so it travels as an object
# Attributes of a mock that a program could use to make an assertion of the test pass.
MOCK_SETTINGS = frozenset({"configure_mock", "mock_add_spec", "attach_mock"})
# Operations on a task, which is named by its number or created from an awaitable, possibly the program's own.
TASK_OPERATIONS = frozenset({"task", "step", "outcome", "cancel"})


def check_target(operation: str, encoded: Sequence[Any]) -> None:
    """Raise TypeError unless an operation acts on an object of the test.

    `encoded` holds the operation's arguments as received, because decoded arguments no longer show which side created
    them. For an operator, the object may be either operand.
    """
    if operation in TASK_OPERATIONS:
        return
    if not any(map(_is_own, encoded if operation in OPERATORS else encoded[:1])):
        raise TypeError(f"the program may not request {operation!r} on an object that the test does not own")


def _is_own(encoded: Any) -> bool:
    """Return whether an encoded value is an object of the receiving side, or a value of one of its classes."""
    if not isinstance(encoded, dict):
        return False
    if "raised" in encoded:
        return isinstance(encoded["raised"], dict) and "yours" in encoded["raised"]
    values = encoded.get("enum", encoded.get("record"))
    return _is_own(values[0]) if isinstance(values, list) and values else "yours" in encoded


def check_operation(own_modules: Collection[str], operation: str, args: list[Any]) -> None:
    """Raise TypeError if the program may not perform an operation, and AttributeError for a hidden attribute.

    `own_modules` are the modules of the test's own classes.
    """
    if operation in {"getattr", "method"}:
        if not _can_read(args[0], args[1]):
            raise AttributeError(f"the program may not read {args[1]!r} of an object of the test")
        return
    if operation in {"setattr", "delattr"}:
        allowed = _can_set(own_modules, args[0], args[1])
    elif operation == "vars":
        allowed = type(args[0]).__module__ in own_modules and not any(name.startswith("_") for name in vars(args[0]))
    else:
        allowed = operation not in {"derive", "inherited", "plain", "settle"}
    if not allowed:
        raise TypeError(f"the program may not request {operation!r} on an object of the test")


def _can_read(target: Any, name: Any) -> bool:
    if not isinstance(name, str):
        return False
    if isinstance(target, OPAQUE_TYPES):
        return name in GENERATOR_METHODS
    if type(target).__module__ == MOCK_MODULE and name in MOCK_SETTINGS:
        return False
    return not name.startswith("_")


def _can_set(own_modules: Collection[str], target: Any, name: Any) -> bool:
    if not isinstance(name, str) or name.startswith("_") or isinstance(target, type):
        return False
    kind = type(target)
    if kind.__module__ == MOCK_MODULE:
        return not hasattr(kind, name)
    return kind.__module__ in own_modules and not callable(getattr(kind, name, None))
