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

from sandbox.runner import arguments, peers, values
from sandbox.runner.values import NotPlain

# Descriptors. On the program's side calls come in by 3 and answers leave by 4; a test's are the other way round.
CALLS, ANSWERS = 3, 4
PROGRAM_NAME = "solution"  # not __main__: what a program does when it is the main program is not wanted here


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
    """Make one call and return its answer. What the program raises is printed to its stderr, as if it were uncaught."""
    try:
        function = named(namespace, call["name"])
        args = [values.decode(item) for item in call["args"]]
        kwargs = {name: values.decode(item) for name, item in call["kwargs"].items()}
        return {"value": arguments.call_for_value(function, args, kwargs)}
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


def serve_test(namespace: dict[str, Any], calls: Any, answers: Any, first: bytes) -> None:
    """Be the peer of a test until it has ended."""

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if request["do"] == "delete":
            namespace.pop(name, None)
            return {"value": None}
        if request["do"] == "set":
            namespace[name] = peer.decoded(request["value"])
            return {"value": None}
        if request["do"] == "names":
            return {"value": [name for name in namespace if not name.startswith("_") and name not in given]}
        if name.partition(".")[0] not in namespace or (name in given and name not in arguments.NODES):
            return {"missing": name}
        if isinstance(namespace.get(name), ModuleType):
            return {"module": True}  # which one is for the test to know
        return peer.lent(named(namespace, name) if "." in name else namespace[name])

    given = arguments.given_names(namespace)
    peer = peers.Peer(calls, answers, reply, left, arguments.call)
    peer.own_modules = frozenset({PROGRAM_NAME, "__main__"})
    try:
        peer.answer_all(first)
    except BaseException as error:  # noqa: BLE001 - the program's boundary: SystemExit and all
        traceback.print_exception(error)


def left(why: str) -> NoReturn:
    """The test has ended while the program was calling it back."""
    sys.stdout.flush()
    os._exit(0)
