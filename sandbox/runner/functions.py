"""Calls into a program from outside its process: the program's side, and the side of a test that calls it.

A call is a line of JSON: {"name", "args", "kwargs"}, its answer one too: {"value"} or {"error", "kind"}, with {"args"}
where the call changed its arguments in place. Values are in `values`' encoding, so a test compares builtin values with
builtin `==` and can be told nothing else: not an object that equals everything, not a patched builtin, no early exit.

A test that calls a program runs in another process, in another box. It sees the program's functions as stand-ins that
send the call; the program sees the calls and never the test.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sandbox.runner import values
from sandbox.runner.values import NotPlain

CALLS, ANSWERS = (
    3,
    4,
)  # descriptors: on the program's side calls come in by 3 and answers leave by 4; a test's mirror that
PROGRAM_NAME = "solution"  # not __main__: what a program does when it is the main program is not wanted here
TEST_FAILED, CALL_FAILED = 1, 3
FUNCTION_TYPES = {"ListNode": values.linked, "TreeNode": values.tree}


def serve(namespace: dict[str, Any]) -> NoReturn:
    """Answer calls to the program's functions until the caller has no more; then leave."""
    calls = os.fdopen(os.dup(CALLS), "rb")
    answers = os.fdopen(os.dup(ANSWERS), "wb")
    for line in calls:
        answer = answered(namespace, json.loads(line))
        answers.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
        answers.flush()
        if "error" in answer:
            break
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def answered(namespace: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """Make one call; its answer. What the program raises is printed to its stderr, as an uncaught exception is."""
    try:
        function = named(namespace, call["name"])
        args = [taken(function, position, values.decode(item)) for position, item in enumerate(call["args"])]
        kwargs = {name: values.decode(item) for name, item in call["kwargs"].items()}
        value = values.encode(function(*args, **kwargs))
        after = [values.encode(item) for item in args]
    except BaseException as error:  # noqa: BLE001 - the program's boundary: SystemExit and all
        traceback.print_exception(error)
        return {"error": str(error)[:1000], "kind": type(error).__name__}
    return {"value": value} if after == call["args"] else {"value": value, "args": after}


def named(namespace: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """`solve`, or `Solution.twoSum`: a method of a new instance."""
    first, *rest = name.split(".")
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


class Caller:
    """A test's side: stands in for the program's functions."""

    def __init__(self, calls: io.BufferedIOBase | Any, answers: io.BufferedIOBase | Any) -> None:
        self._calls = calls
        self._answers = answers

    def function(self, name: str) -> Callable[..., Any]:
        def stand_in(*args: Any, **kwargs: Any) -> Any:
            return self._call(name, args, kwargs)

        stand_in.__name__ = stand_in.__qualname__ = name
        return stand_in

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        sent = [values.encode(item) for item in args]
        call = {"name": name, "args": sent, "kwargs": {key: values.encode(item) for key, item in kwargs.items()}}
        self._calls.write(json.dumps(call, separators=(",", ":")).encode() + b"\n")
        self._calls.flush()
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            os._exit(CALL_FAILED)  # the program ended; how it did is told by its own outcome
        answer = json.loads(line)
        if "error" in answer:
            os._exit(CALL_FAILED)
        for given, after in zip(args, answer.get("args", ()), strict=False):
            change_in_place(given, values.decode(after))
        return values.decode(answer["value"])


def change_in_place(given: Any, after: Any) -> None:
    """What the program did to a mutable argument happens to the caller's, too."""
    if type(given) is type(after) and isinstance(given, list):
        given[:] = after
    elif type(given) is type(after) and isinstance(given, dict | set):
        given.clear()
        given.update(after)


class Names(dict[str, Any]):
    """A test's builtins: names that neither the test nor Python has are the program's functions."""

    def __init__(self, builtins: Mapping[str, Any], caller: Caller) -> None:
        super().__init__(builtins)
        self._caller = caller

    def __missing__(self, name: str) -> Any:
        if name.startswith("__"):
            raise KeyError(name)
        return self._caller.function(name)


def run_test(builtins: Mapping[str, Any]) -> NoReturn:
    """Run the test on stdin against the program behind the descriptors; exit 0 passed, 1 failed, 3 a call failed."""
    request = json.loads(sys.stdin.buffer.read())
    caller = Caller(os.fdopen(os.dup(ANSWERS), "wb"), os.fdopen(os.dup(CALLS), "rb"))
    namespace: dict[str, Any] = {"__name__": "test", "__builtins__": Names(builtins, caller)}
    if request["entry_point"]:
        function = caller.function(request["entry_point"])
        namespace.update({"candidate": function, request["entry_point"].rpartition(".")[2]: function})
    try:
        exec(compile(request["source"], "test.py", "exec", dont_inherit=True), namespace)
    except NotPlain as error:
        print(f"the test cannot call the program so: {error}", file=sys.stderr)
        os._exit(TEST_FAILED)
    except BaseException as error:  # noqa: BLE001 - the test's verdict, whatever it raises
        traceback.print_exception(error)
        sys.stderr.flush()
        os._exit(TEST_FAILED)
    sys.stdout.flush()
    os._exit(0)
