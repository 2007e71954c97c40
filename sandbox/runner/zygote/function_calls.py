"""Answer calls to a program's functions from outside its process.

A function test is one call. The worker sends a line of JSON {"name", "args", "kwargs"} and receives {"value"} or
{"error", "kind"}. The worker then compares the value with the expected one.

An assert test or a test file runs in another process, in another box, and talks to the program over RPC. The test's
side is in `tested_program`, the program's side in `served_program`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sandbox.runner.rpc import arguments, codec
from sandbox.runner.rpc.codec import UnsupportedValue

# Descriptors. The program reads calls from 3 and writes answers to 4; for a test it is the other way round.
CALLS_DESCRIPTOR, ANSWERS_DESCRIPTOR = 3, 4
ServeTest = Callable[[dict[str, Any], Any, Any, bytes], None]
PROGRAM_MODULE_NAME = "solution"  # not __main__, so the program's main block does not run
PROGRAM_MODULE_NAMES = frozenset({PROGRAM_MODULE_NAME, "main"})  # the names under which a test can import the program


def serve(namespace: dict[str, Any], serve_test: ServeTest | None) -> NoReturn:
    """Answer the call of a function test, or serve an assert test through `serve_test`. Exit afterward."""
    calls = os.fdopen(os.dup(CALLS_DESCRIPTOR), "rb")
    answers = os.fdopen(os.dup(ANSWERS_DESCRIPTOR), "wb")
    first = calls.readline()
    if first.startswith(b'{"name"'):
        answers.write(json.dumps(answer_call(namespace, json.loads(first)), separators=(",", ":")).encode() + b"\n")
        answers.flush()
    elif first and serve_test is not None:
        serve_test(namespace, calls, answers, first)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def answer_call(namespace: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """Make one call and return its answer.

    If the program raises an exception, print it to stderr as if it were uncaught.
    """
    try:
        function = find_function(namespace, call["name"])
        args = [codec.decode(item) for item in call["args"]]
        kwargs = {name: codec.decode(item) for name, item in call["kwargs"].items()}
        return {"value": arguments.call_for_value(function, args, kwargs)}
    except UnsupportedValue as error:
        print(f"TypeError: {error}", file=sys.stderr)
        return {"error": str(error)[:1000], "kind": "TypeError"}
    except BaseException as error:  # noqa: BLE001 - the boundary of the program, including SystemExit
        traceback.print_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        return {"error": str(error)[:1000], "kind": type(error).__name__}


def find_function(namespace: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """Look up `solve` or `Solution.twoSum`; a method is bound to a new instance."""
    first, *rest = name.split(".")
    if first not in namespace:
        raise NameError(f"name {first!r} is not defined")
    found = namespace[first]
    for part in rest:
        found = getattr(found() if isinstance(found, type) else found, part)
    if not callable(found):
        raise TypeError(f"{name} is not callable")
    return found  # type: ignore[no-any-return]
