"""Two processes that use each other's functions and objects: a test and the program it tests, in two boxes.

Each writes lines of JSON to the other: requests and answers. Whoever waits for an answer serves requests meanwhile, so
a program may call back what a test passed to it. Plain values are copied (`values`); what is not plain travels by
reference, and is used through a `Remote` that asks its owner.

A test must not be had by an object of the program's that agrees with everything. So a `Remote` never equals a plain
value and is never compared or calculated with one; and what a function of the program's returns is a plain value, a
function or an iterator, or else an object of a class that the test itself has named.
"""

from __future__ import annotations

import builtins
import json
import operator
from collections.abc import Callable, Iterator
from typing import IO, Any, NoReturn

from sandbox.runner import values
from sandbox.runner.remotes import BINARY, REMOTES, UNARY, Remote, RemoteObject
from sandbox.runner.values import NotPlain

MAX_TEXT = 1_000
CALLABLES = frozenset({"function", "method", "builtin_function_or_method", "partial"})
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in (*UNARY, *BINARY, "getitem", "setitem", "delitem")},
    **{function.__name__: function for function in (getattr, setattr, len, iter, next, str, repr, bool)},
    "call": lambda target, *args, **kwargs: target(*args, **kwargs),
    "isinstance": lambda target, value: isinstance(value, target),
    "enter": lambda target: type(target).__enter__(target),
    "leave": lambda target: type(target).__exit__(target, None, None, None),
}


class Peer:
    """One side. `serve` answers what is no operation on an object; `leave` is called when the other side is gone."""

    def __init__(
        self,
        requests: IO[bytes],
        answers: IO[bytes],
        serve: Callable[[dict[str, Any]], dict[str, Any]],
        leave: Callable[[str], NoReturn],
        taken: Callable[[Callable[..., Any], int, Any], Any] | None = None,
    ) -> None:
        """`taken` makes an argument what a function wants. A side that has it, the program's, trusts the other: it
        takes any object by reference, and does anything with its own that it is asked for.
        """
        self._in, self._out = requests, answers
        self._serve, self._leave, self._taken = serve, leave, taken
        self._trusting = taken is not None
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[int, Any] = {}
        self._named: set[int] = set()
        self._choosing = False
        self.raised: BaseException | None = None

    def ask(self, request: dict[str, Any], choosing: bool = False) -> Any:
        """Send a request; the value it is answered with. Raises what the other side raised."""
        return self.result(self.exchange(request), choosing)

    def result(self, answer: dict[str, Any], choosing: bool = False) -> Any:
        """The value of an answer. Raises what the other side raised."""
        if "error" in answer:
            self.raised = self._rebuilt(answer)
            raise self.raised
        try:
            return self.decoded(answer.get("value"), choosing)
        except NotPlain as error:
            self.raised = TypeError(str(error))
            raise self.raised from None

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and answer the other side's until its answer comes."""
        self._write(request)
        while True:
            message = self._read()
            if message is None:
                self._leave("")
            if "do" in message:
                self._write(self.answer(message))
            else:
                return message

    def answer_all(self, first: bytes) -> None:
        """Answer requests, of which the first was read already, until there are no more."""
        message: dict[str, Any] | None = self._parsed(first)
        while message is not None:
            self._write(self.answer(message))
            message = self._read()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if request["do"] not in OPERATIONS:
                return self._serve(request)
            target, *args = (self.decoded(item) for item in request["args"])
            kwargs = {name: self.decoded(item) for name, item in request.get("kwargs", {}).items()}
            if self._taken is None:
                self._check(request["do"], target, args)
            elif request["do"] == "call":
                args = [self._taken(target, position, item) for position, item in enumerate(args)]
            answer = {"value": self.encoded(OPERATIONS[request["do"]](target, *args, **kwargs))}
            after = [self.encoded(item) for item in args]
            return answer if after == request["args"][1:] else {**answer, "args": after}
        except Exception as error:  # noqa: BLE001 - it is the asker's
            return self.error(error)

    def error(self, error: BaseException) -> dict[str, Any]:
        """An exception as an answer; its builtin class, and its own where that is another."""
        chain = [one for one in type(error).__mro__ if issubclass(one, BaseException)]
        own = [one for one in chain if getattr(builtins, one.__name__, None) is not one]
        base = next(one.__name__ for one in chain if one not in own)
        answer: dict[str, Any] = {"error": _text(error), "kind": type(error).__name__, "base": base}
        answer["own"] = [[self._number(one), one.__name__] for one in own]
        try:
            answer["args"] = [self.encoded(item) for item in error.args]
            answer["object"] = self._number(error) if own else None
        except NotPlain:
            answer["args"] = [answer["error"]]
        return answer

    def encoded(self, value: Any) -> Any:
        return values.encode(value, 0, self)

    def decoded(self, value: Any, choosing: bool = False) -> Any:
        before, self._choosing = self._choosing, choosing
        try:
            return values.decode(value, self)
        finally:
            self._choosing = before

    def known(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return {"yours": value._number}
        number = getattr(value, "_remote_number", None) if isinstance(value, type | BaseException) else None
        return None if number is None else {"yours": number}

    def refer(self, value: Any) -> Any:
        if isinstance(value, type) and issubclass(value, BaseException):
            error = self.error(value.__new__(value))
            return {"mine": ["exception", self._number(value), value.__name__, error["base"], error["own"]]}
        kind = "class" if isinstance(value, type) else "iterator" if isinstance(value, Iterator) else "object"
        if kind == "object" and (type(value).__name__ in CALLABLES or type(value) is type(len)):
            kind = "function"
        owner = type(value) if kind == "object" else value
        name = getattr(owner, "__name__", kind)
        return {"mine": [kind, self._number(value), str(name)[:MAX_TEXT], self._number(owner)]}

    def take(self, kind: str, content: Any) -> Any:
        if kind == "yours":
            return self._objects[content]
        shape, number, name, *more = content
        if shape == "exception":
            if not (self._trusting or self._choosing):
                raise NotPlain(f"the class {name} is not a plain value")
            self._named.add(number)
            return self._exception_class(more[0], more[1])
        if shape == "class":
            if not (self._trusting or self._choosing):
                raise NotPlain(f"the class {name} is not a plain value")
            self._named.add(number)
        elif shape == "object" and not (self._trusting or self._is_named(name, more[0])):
            raise NotPlain(f"a {name} is not a plain value")
        return REMOTES[shape](self, number, name)

    def _is_named(self, name: str, number: int) -> bool:
        if number not in self._named and name in self.names_to_come:
            self.look_up(name)
        return number in self._named

    def _number(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._numbers[id(value)]

    def _check(self, operation: str, target: Any, args: list[Any]) -> None:
        """What the program may do with a test's objects: call functions and iterate, and use public attributes of
        instances of the test's own classes. Nothing by which it could read the test.
        """
        own = type(target).__module__ in self.own_modules
        function = type(target).__name__ in CALLABLES
        if operation in {"next", "iter", "len", "str", "repr", "bool"} or (operation == "call" and (own or function)):
            return
        if operation == "getattr" and own and isinstance(args[0], str) and not args[0].startswith("_"):
            return
        raise TypeError(f"{operation} of an object of the test is not for the program")

    # Of a test: the modules it is in, the names it will look up in the program, and how.
    own_modules: frozenset[str] = frozenset()
    names_to_come: frozenset[str] = frozenset()
    look_up: Callable[[str], Any] = staticmethod(lambda name: None)

    def _rebuilt(self, answer: dict[str, Any]) -> BaseException:
        base = _builtin(answer.get("base"))
        if not issubclass(base, Exception):
            self._leave(f"{answer['kind']}: {answer['error']}")
        text = str(answer["error"])
        try:
            args = [self.decoded(item) for item in answer.get("args", [])]
        except NotPlain:
            args = [text]
        if not answer.get("own"):
            try:
                return base(*args)
            except TypeError:
                return base(text)
        kind = self._exception_class(answer["base"], answer["own"])
        error: BaseException = kind.__new__(kind)
        error.args = tuple(args)
        error.__dict__.update(_text=text, _remote_number=answer.get("object"), _peer=self)
        return error

    def _exception_class(self, base: str, own: list[list[Any]]) -> Any:
        """A class of ours for one of the other side's, whose classes between it and the builtin one are kept, too."""
        found: Any = _builtin(base)
        if not issubclass(found, Exception):
            found = Exception
        for number, name in reversed(own):
            if number not in self._classes:
                members = {"_remote_number": number, "_peer": self, **_EXCEPTION_MEMBERS}
                self._classes[number] = type(str(name), (found,), members)
            found = self._classes[number]
        return found

    def _write(self, message: dict[str, Any]) -> None:
        try:
            self._out.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            self._out.flush()
        except BrokenPipeError:
            self._leave("")

    def _read(self) -> dict[str, Any] | None:
        line = self._in.readline()
        return self._parsed(line) if line.endswith(b"\n") else None

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._leave("the other side does not speak as agreed")
        return message


def _exception_text(error: Any) -> str:
    return str(getattr(error, "_text", ""))


def _exception_attribute(error: Any, name: str) -> Any:
    number = error.__dict__.get("_remote_number")
    if name.startswith("_") or number is None:
        raise AttributeError(name)
    return RemoteObject(error._peer, number, type(error).__name__)._do("getattr", name)


_EXCEPTION_MEMBERS = {"__str__": _exception_text, "__getattr__": _exception_attribute, "__module__": "program"}


def _builtin(name: Any) -> type[BaseException]:
    """A builtin exception by its name; Exception for what is none."""
    found = getattr(builtins, name, None) if isinstance(name, str) else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else Exception


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_TEXT]
    except Exception:  # noqa: BLE001 - its __str__ is the program's
        return ""
