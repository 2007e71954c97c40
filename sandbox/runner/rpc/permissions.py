"""What a program may do with the objects of its test: use them, and never read or change the test by them.

It may call what it was passed, iterate, calculate and compare. It may do nothing with an object that it was not passed:
a path, a class or a text that it makes up itself would act in the test's process. It sees public attributes, and may
set those that are not methods, for a list node of the test's is there to be linked. It reaches no frame, no module and
no code, and it cannot replace a method that the test will call.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox.runner.rpc.special_methods import OPERATORS

if TYPE_CHECKING:
    from sandbox.runner.rpc.rpc_peer import RpcPeer

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
MOCK_MODULE = "unittest.mock"  # a mock passes for everything, so it is an object
# Of a mock: by these a program could make an assertion of the test's pass.
MOCK_SETTINGS = frozenset({"configure_mock", "mock_add_spec", "attach_mock"})
# Of a task, which is named by its number, or begun of what can be awaited: the program's own coroutines, too.
TASK_OPERATIONS = frozenset({"task", "step", "outcome", "cancel"})


def check_target(operation: str, encoded: Sequence[Any]) -> None:
    """Raises TypeError unless an operation is one on an object of the test. `encoded` are its arguments, as received:
    decoded ones no longer say who made them. An operator has the object on either side.
    """
    if operation in TASK_OPERATIONS:
        return
    if not any(map(_is_own, encoded if operation in OPERATORS else encoded[:1])):
        raise TypeError(f"{operation} of an object that is not the test's is not for the program to ask")


def _is_own(encoded: Any) -> bool:
    """Whether an encoded value is an object of the receiver's, or a value of one of its classes."""
    if not isinstance(encoded, dict):
        return False
    if "raised" in encoded:
        return isinstance(encoded["raised"], dict) and "yours" in encoded["raised"]
    values = encoded.get("enum", encoded.get("record"))
    return _is_own(values[0]) if isinstance(values, list) and values else "yours" in encoded


def check_operation(peer: RpcPeer, operation: str, args: list[Any]) -> None:
    """Raises TypeError for what is not for the program to do, and AttributeError for what it is not shown."""
    if operation in {"getattr", "method"}:
        if not _can_read(args[0], args[1]):
            raise AttributeError(f"{args[1]!r} of an object of the test is not for the program")
        return
    if operation in {"setattr", "delattr"}:
        allowed = _can_set(peer, args[0], args[1])
    elif operation == "vars":
        allowed = type(args[0]).__module__ in peer.own_modules and not any(
            name.startswith("_") for name in vars(args[0])
        )
    else:
        allowed = operation not in {"derive", "inherited", "plain", "settle"}
    if not allowed:
        raise TypeError(f"{operation} of an object of the test is not for the program")


def _can_read(target: Any, name: Any) -> bool:
    if not isinstance(name, str):
        return False
    if isinstance(target, OPAQUE_TYPES):
        return name in GENERATOR_METHODS
    if type(target).__module__ == MOCK_MODULE and name in MOCK_SETTINGS:
        return False
    return not name.startswith("_")


def _can_set(peer: RpcPeer, target: Any, name: Any) -> bool:
    if not isinstance(name, str) or name.startswith("_") or isinstance(target, type):
        return False
    kind = type(target)
    if kind.__module__ == MOCK_MODULE:
        return not hasattr(kind, name)
    return kind.__module__ in peer.own_modules and not callable(getattr(kind, name, None))
