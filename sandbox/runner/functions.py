"""Calls into a program from outside its process: the program's side.

A function test is one call: a line of JSON {"name", "args", "kwargs"} from the worker, and its answer, {"value"} or
{"error", "kind"}. The worker compares.

An assert test and a test file run in another process, in another box, as the program's peer (`peers`); their side of it
is in `asserts`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from sandbox.runner import peers, values
from sandbox.runner.values import NotPlain

# Descriptors. On the program's side calls come in by 3 and answers leave by 4; a test's are the other way round.
CALLS, ANSWERS = 3, 4
PROGRAM_NAME = "solution"  # not __main__: what a program does when it is the main program is not wanted here
FUNCTION_TYPES = {"ListNode": values.linked, "TreeNode": values.tree}


def serve(namespace: dict[str, Any]) -> NoReturn:
    """Answer calls to the program's functions until the caller has no more; then leave."""
    calls = os.fdopen(os.dup(CALLS), "rb")
    answers = os.fdopen(os.dup(ANSWERS), "wb")
    first = calls.readline()
    if first.startswith(b'{"name"'):
        answers.write(json.dumps(answered(namespace, json.loads(first)), separators=(",", ":")).encode() + b"\n")
        answers.flush()
    elif first:
        serve_test(namespace, calls, answers, first)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def answered(namespace: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """Make one call; its answer. What the program raises is printed to its stderr, as an uncaught exception is."""
    try:
        function = named(namespace, call["name"])
        args = [taken(function, position, values.decode(item)) for position, item in enumerate(call["args"])]
        kwargs = {name: values.decode(item) for name, item in call["kwargs"].items()}
        return {"value": values.encode(function(*args, **kwargs))}
    except NotPlain as error:
        print(f"TypeError: {error}", file=sys.stderr)
        return {"error": str(error)[:1000], "kind": "TypeError"}
    except BaseException as error:  # noqa: BLE001 - the program's boundary: SystemExit and all
        traceback.print_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        return {"error": str(error)[:1000], "kind": type(error).__name__}


def named(namespace: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """`solve`, or `Solution.twoSum`: a method of a new instance."""
    first, *rest = name.split(".")
    if first not in namespace:
        raise NameError(f"name {first!r} is not defined")
    found = namespace[first]
    for part in rest:
        found = getattr(found() if isinstance(found, type) else found, part)
    if not callable(found):
        raise TypeError(f"{name} is not callable")
    return found  # type: ignore[no-any-return]


def taken(function: Callable[..., Any], position: int, value: Any) -> Any:
    """An argument as the function declares it: a list becomes a ListNode or TreeNode where its annotation says so."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None or not (value is None or isinstance(value, list)):
        return value
    items: list[Any] = value or []
    offset = 1 if hasattr(function, "__self__") else 0
    names = code.co_varnames[: code.co_argcount]
    if position + offset >= len(names):
        return value
    declared = str(getattr(function, "__annotations__", {}).get(names[position + offset], ""))
    for name, build in FUNCTION_TYPES.items():
        if name in declared:
            nested = items and all(isinstance(item, list) for item in items) and "list[" in declared.lower()
            return [build(item) for item in items] if nested else build(items)
    return value


def serve_test(namespace: dict[str, Any], calls: Any, answers: Any, first: bytes) -> None:
    """Be the peer of a test until it has ended."""

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if request["do"] == "set":
            namespace[name] = peer.decoded(request["value"])
            return {"value": None}
        if request["do"] == "names":
            return {"value": [name for name in namespace if not name.startswith("_")]}
        if name.partition(".")[0] not in namespace:
            return {"missing": name}
        if isinstance(namespace.get(name), ModuleType):
            return {"module": True}  # which one is for the test to know
        return {"value": peer.encoded(named(namespace, name) if "." in name else namespace[name])}

    peer = peers.Peer(calls, answers, reply, left, taken)
    try:
        peer.answer_all(first)
    except BaseException as error:  # noqa: BLE001 - the program's boundary: SystemExit and all
        traceback.print_exception(error)


def left(why: str) -> NoReturn:
    """The test has ended while the program was calling it back."""
    sys.stdout.flush()
    os._exit(0)
