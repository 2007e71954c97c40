"""Calls into a program from outside its process: the program's side, and the side of a test that calls it.

A function test is one call: a line of JSON {"name", "args", "kwargs"} from the worker, and its answer, {"value"} or
{"error", "kind"}. The worker compares.

An assert test and a test file run in another process, in another box, as the program's peer (`peers`). They see the
program's functions and classes as stand-ins that ask the program; the program sees the calls and never the test. What
a test compares are values made of builtin types, so it can be told nothing else: not an object that equals everything,
not a patched builtin, no early exit.
"""

from __future__ import annotations

import importlib
import json
import os
import symtable
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from sandbox.runner import arguments, peers, values
from sandbox.runner.remotes import Remote, RemoteClass
from sandbox.runner.tested_builtin import called_builtin
from sandbox.runner.values import NotPlain

# Descriptors. On the program's side calls come in by 3 and answers leave by 4; a test's are the other way round.
CALLS, ANSWERS = 3, 4
PROGRAM_NAME = "solution"  # not __main__: what a program does when it is the main program is not wanted here
TEST_NAME = "test"
TEST_FAILED, CALL_FAILED, TEST_BROKEN = 1, 3, 4  # exit codes of a test
run_file: list[Callable[[str, Tested], NoReturn]] = []  # `pytest_file`'s, where an interpreter has imported it
LIBRARIES = sys.stdlib_module_names | {"numpy", "pandas", "scipy", "sympy", "networkx"}


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
            public = [name for name in namespace if not name.startswith("_") and name not in given]
            return {"value": [name for name in public if not isinstance(namespace[name], ModuleType)]}
        if name.partition(".")[0] not in namespace or (name in given and name not in arguments.NODES):
            return {"missing": name}
        if isinstance(namespace.get(name), ModuleType):
            return {"module": namespace[name].__name__}
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


class Tested:
    """The program as its test sees it."""

    def __init__(self) -> None:
        self.peer = peers.Peer(os.fdopen(os.dup(CALLS), "rb"), os.fdopen(os.dup(ANSWERS), "wb"), refused, gone)
        self.missing: set[str] = set()
        self.peer.look_up = self.find

    def find(self, name: str, choosing: bool = True) -> Any:
        """What the program calls so, None where that is nothing."""
        try:
            return self.get(name, choosing)
        except KeyError:
            return None

    def get(self, name: str, choosing: bool = True) -> Any:
        """What the program calls so; without `choosing` the test does not name it as a class. Raises KeyError."""
        answer = self.peer.exchange({"do": "get", "name": name})
        if answer.get("missing") == name:
            self.missing.add(name.partition(".")[0])
            raise KeyError(name)
        if "module" in answer:
            return imported(answer["module"])
        found = self.peer.result(answer)
        if choosing:
            self.peer.name_found(found, name)
        return found

    def set(self, name: str, value: Any) -> None:
        self.peer.ask({"do": "set", "name": name, "value": self.peer.encoded(value)})

    def delete(self, name: str) -> None:
        self.peer.ask({"do": "delete", "name": name})

    def names(self) -> list[str]:
        names: list[str] = self.peer.ask({"do": "names", "name": ""})
        return names

    def at_fault(self, error: BaseException) -> bool:
        """Whether an exception that ended the test is the program's, not the test's opinion of it."""
        return error is self.peer.raised or (isinstance(error, NameError) and error.name in self.missing)


def imported(name: Any) -> ModuleType:
    """A module that the program imported and its test uses as if it had: one of our own, and only such as is installed.
    Raises KeyError.
    """
    if isinstance(name, str) and name.partition(".")[0] in LIBRARIES:
        return importlib.import_module(name)
    raise KeyError(name)


def refused(request: dict[str, Any]) -> dict[str, Any]:
    raise TypeError(f"{request.get('do')} is not for the program to ask")


def gone(why: str) -> NoReturn:
    """The program has ended before the test did: how, is told by its own outcome."""
    os.write(2, f"{why or 'the program ended before the test did'}\n".encode(errors="replace"))
    os._exit(CALL_FAILED)


class EntryPoint:
    """The function under test, by its name: a method is one of a new instance at each call."""

    def __init__(self, tested: Tested, name: str) -> None:
        self._tested, self._name = tested, name
        self._function: Any = None
        self.__name__ = self.__qualname__ = name.rpartition(".")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._function is None:
            try:
                self._function = self._tested.get(self._name, choosing=False)
            except KeyError:
                self._tested.peer.raised = NameError(f"the program has no {self._name}")
                raise self._tested.peer.raised from None
        function = self._function
        if "." in self._name:
            self._function = None
        return function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in {"__doc__", "__wrapped__", "__signature__", "__annotations__"}:
            raise AttributeError(name)
        return getattr(self._tested.get(self._name, choosing=False), name)


class Names(dict[str, Any]):
    """A test's builtins: names that neither the test nor Python has are the program's. So is the entry point, under its
    own name and as `candidate`, and a function named like a builtin if that is what the source tests.
    """

    def __init__(self, builtins: Mapping[str, Any], tested: Tested, entry_point: str = "") -> None:
        super().__init__(builtins)
        self._tested, self._entry_point = tested, entry_point
        self._entry_names = {"candidate", entry_point.rpartition(".")[2]} if entry_point else set()
        self._builtins = builtins
        self.look_up(*self._entry_names)

    def look_up(self, *names: str) -> None:
        """Look these names up in the program though Python has them, too."""
        for name in names:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name in self._entry_names:
            found = entry_point(self._tested, self._entry_point)
            self.update(dict.fromkeys(self._entry_names, found))
            return found
        if name in self._builtins:
            found = self._tested.find(name)
            self[name] = self._builtins[name] if found is None else found
            return self[name]
        if name.startswith("__"):
            raise KeyError(name)
        found = self._tested.get(name)
        if isinstance(found, Remote | RemoteClass):
            self[name] = found
        return found


class TestedModule(ModuleType):
    """The program as a module that a test imports."""

    def __init__(self, name: str, tested: Tested) -> None:
        super().__init__(name)
        self.__dict__["_tested"] = tested

    def __getattr__(self, name: str) -> Any:
        tested: Tested = self.__dict__["_tested"]
        if name == "__all__":
            return tested.names()
        try:
            if name.startswith("__"):
                raise KeyError(name)
            return tested.get(name)
        except KeyError:
            raise AttributeError(f"the program has no {name}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            self.__dict__["_tested"].set(name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__["_tested"].delete(name)


def run_test(builtins: Mapping[str, Any]) -> NoReturn:
    """Run the test on stdin against the program behind the descriptors; exits with one of the codes above, or 0."""
    request = json.loads(sys.stdin.buffer.read())
    tested = Tested()
    for name in {PROGRAM_NAME, "main", *request.get("modules", ())}:
        sys.modules[name] = TestedModule(name, tested)
    if "file" in request:
        if not run_file:
            print("python3-pytest is not installed where this box runs", file=sys.stderr, flush=True)
            os._exit(TEST_BROKEN)
        run_file[0](request["file"], tested)
    tested.peer.own_modules = frozenset({TEST_NAME})
    names = Names(builtins, tested, request["entry_point"])
    namespace: dict[str, Any] = {"__name__": TEST_NAME, "__builtins__": names}
    os._exit(outcome_of(request["source"], namespace, tested, names))


def entry_point(tested: Tested, name: str) -> Any:
    """The function or class under test itself, or for a method what calls it on a new instance each time."""
    found = None if "." in name else tested.find(name, choosing=False)
    tested.peer.name_entry_point(found, name)
    return EntryPoint(tested, name) if found is None else found


def free_names(source: str) -> frozenset[str]:
    """The global names that a test uses and does not make."""
    scopes = [symtable.symtable(source, "test.py", "exec")]
    made = {symbol.get_name() for symbol in scopes[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used: set[str] = set()
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        used.update(symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global() or not symbol.is_local())
    return frozenset(used - made)


def outcome_of(source: str, namespace: dict[str, Any], tested: Tested, names: Names) -> int:
    """The exit code that says how the test went."""
    try:
        code = compile(source, "test.py", "exec", dont_inherit=True)
        free = free_names(source)
        tested.peer.names_to_come, tested.peer.source = free, source
        if not free - peers.BUILTINS and (name := called_builtin(source)):
            names.look_up(name)
    except (SyntaxError, ValueError) as error:
        traceback.print_exception(error)
        return TEST_BROKEN
    try:
        exec(code, namespace)
    except SystemExit as request:
        return TEST_FAILED if request.code else 0
    except BaseException as error:  # noqa: BLE001 - the test's verdict, whatever it raises
        traceback.print_exception(error)
        return CALL_FAILED if tested.at_fault(error) else TEST_FAILED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
