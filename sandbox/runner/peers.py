"""Two processes that use each other's functions and objects: a test and the program it tests, in two boxes.

Each writes lines of JSON to the other: requests and answers. Whoever waits for an answer serves requests meanwhile, so
a program may call back what a test passed to it. A request names the thread it belongs to, where that is not the main
one, and each thread of the one side has one on the other (`turns`). Values are copied (`values`, `library_values`);
what is not a value travels by reference (`references`) and is used through a stand-in that asks its owner (`remotes`).

A test must not be fooled by an object of the program's that agrees with everything. What the program returns is one of
these: a value that is rebuilt here, with the `==` of the builtin or standard-library type that it is; a function or an
iterator, which equals nothing else; or an object of a class, which is believed as far as the test's own source has
asked for that (`remotes` has the levels). The program never decides whether a value equals the expected one, unless
the test treats that value as an object of the program's class.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, NoReturn

from sandbox.runner import changes, descriptions, values
from sandbox.runner.allowance import open_account
from sandbox.runner.coroutines import Loop, Steps
from sandbox.runner.loans import Loans, lends
from sandbox.runner.permissions import MOCK, check, check_target
from sandbox.runner.raised import Errors
from sandbox.runner.references import References
from sandbox.runner.remotes import NAMED, PLAIN_ATTRIBUTES, STRANGER, Remote, RemoteClass, RemoteFunction, believe
from sandbox.runner.shared_files import TestFiles
from sandbox.runner.source_names import BUILTINS
from sandbox.runner.specials import OPERATIONS
from sandbox.runner.turns import PROGRAM, TEST, Turns
from sandbox.runner.used_as_objects import makers_of_objects
from sandbox.runner.values import NotPlain

CALLS = frozenset({"call", "method"})
_ANSWERED_APART = CALLS | {"describe", "settle"}  # with more than a value
# What may end an iteration by raising StopIteration or StopAsyncIteration.
_MAY_END = frozenset({"next", "resume", "inherited", "anext", "task", "step", "outcome", "cancel"})
_ITERATING = frozenset({"__next__", "__anext__"})


class Peer:
    """One side. `serve` answers what is no operation on an object; `leave` is called when the other side is gone."""

    def __init__(
        self,
        requests: IO[bytes],
        answers: IO[bytes],
        serve: Callable[[dict[str, Any]], dict[str, Any]],
        leave: Callable[[str], NoReturn],
        call: Callable[..., Any] | None = None,
    ) -> None:
        """`call` calls a function with arguments as it declares them. A side that has it, the program's, trusts the
        other: it takes any object by reference, and does anything with its own that it is asked for.
        """
        self._serve, self.leave = serve, leave
        self._call = call
        self.trusting = call is not None
        self.program_name = "program"
        self.references = References(self)
        self.errors: Errors = Errors(self)
        self._running: Loop | None = None
        self._loans = Loans()
        side, account = (PROGRAM, None) if self.trusting else (TEST, open_account())
        self._turns = Turns(requests, answers, self.answer, leave, side, account)
        self.raised: BaseException | None = None

    # Of a side that does not trust the other: the modules its own classes are in, the names its source will look up
    # in the program, and how.
    own_modules: frozenset[str] = frozenset()
    names_to_come: frozenset[str] = frozenset()
    look_up: Callable[[str], Any] = staticmethod(lambda name: None)
    source = ""
    catches_exits = False  # whether its source may catch the SystemExit that a function of the program raises
    _makers: frozenset[str] | None = None
    _files: TestFiles | None = None

    def set_source(self, source: str) -> None:
        """Say what the test is, so that it gets the exceptions that it speaks of."""
        self.source, self.catches_exits = source, "SystemExit" in source

    # Asking.

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request and return the value it is answered with. Raises what the other side raised."""
        return self.result(self.exchange(request))

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and answer the other side's until its answer comes."""
        if self._loans:
            self._settle()
        return self._turns.exchange(request)

    def share_files(self, files: TestFiles) -> None:
        """Share the temporary files of the test with its program."""
        self._files = files
        self._turns.share_files(files)

    def mention(self, value: Any) -> None:
        """An object of this side's goes to the other by reference. If it is a path, the path is shared."""
        kind = type(value)
        if self._files is not None and hasattr(kind, "__fspath__") and kind.__module__ != MOCK:
            with suppress(Exception):  # it is the test's own
                self._files.mention(kind.__fspath__(value))

    def _settle(self) -> None:
        """Have the other side's containers hold what the copies hold that were made of them."""
        for number, changed in self._loans.settle(self.references):
            self._turns.exchange({"do": "settle", "args": [{"yours": number}], "changes": changed})

    def result(self, answer: dict[str, Any], may_end: bool = False) -> Any:
        """The value of an answer. Raises what the other side raised. `may_end`: it may end an iteration."""
        try:
            if "raised" in answer:
                self.raised = self._checked(self.errors.decode(answer["raised"]), may_end)
                if hasattr(self.raised, "__dict__"):
                    self.raised.__dict__["_caught"] = True  # not returned in place of a value
            else:
                value = self.decoded(answer.get("value"))
                if "loan" in answer and not self.trusting and lends(value):
                    self._loans.begin(answer["loan"], value)
                return value
        except (NotPlain, LookupError, TypeError, AttributeError) as error:
            self.raised = TypeError(str(error))
            raise self.raised from None
        raise self.raised

    def operate(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Have the other side do something with its objects."""
        request: dict[str, Any] = {"do": operation, "args": [self.encoded(item) for item in args]}
        if kwargs:
            request["kwargs"] = {name: self.encoded(item) for name, item in kwargs.items()}
        if self.catches_exits:
            request["exits"] = True
        may_end = operation in _MAY_END or (operation == "special" and args[1] in _ITERATING)
        answer = self.exchange(request)
        if "changes" not in answer and "part" not in answer:
            return self.result(answer, may_end)
        before = self.references.parts
        self.references.parts = parts = changes.containers([*args, *kwargs.values()])
        try:
            self._apply(parts, answer.get("changes", ()))
            return parts[answer["part"]] if "part" in answer else self.result(answer, may_end)
        except (NotPlain, LookupError, TypeError, ValueError) as error:
            if error is self.raised:
                raise
            self.raised = TypeError(f"not the arguments that were passed: {error}")
            raise self.raised from None
        finally:
            self.references.parts = before

    def _checked(self, error: BaseException, may_end: bool) -> BaseException:
        """What to raise for an exception of the other side's. As in a generator, StopIteration becomes a RuntimeError:
        it would end a loop of the test, such as `all(map(check, cases))`.
        """
        if may_end or self.trusting or not isinstance(error, StopIteration | StopAsyncIteration):
            return error
        kind = StopIteration if isinstance(error, StopIteration) else StopAsyncIteration
        return error if kind.__name__ in self.source else RuntimeError(f"the program raised {kind.__name__}")

    def _apply(self, parts: list[Any], changed: Any) -> None:
        for number, content in changed:
            changes.apply(parts[number], [self.decoded(item) for item in content])

    def leave_block(self, operation: str, target: Remote, error: BaseException | None) -> Any:
        """Leave a `with` block by `exit` or `aexit`. A failed assertion of the test is not for the program to swallow,
        unless the test's source speaks of AssertionError.
        """
        suppressed = self.operate(operation, target, error)
        if self.trusting or error is None or (isinstance(error, Exception) and not isinstance(error, AssertionError)):
            return suppressed
        if "AssertionError" in self.source or getattr(error, "_caught", False):
            return suppressed
        return _without_suppressing(suppressed) if operation == "aexit" else False

    def operate_guarded(self, kind: Any, operation: str, *args: Any) -> Any:
        """The same for what only an object of a class that the test names may do."""
        if self.level(kind) == STRANGER:
            self._refuse(kind)
        return self.operate(operation, *args)

    def check_attribute(self, kind: Any, name: str) -> None:
        """An object of a class that the test does not name is no stand-in for a value: it has no attribute of one."""
        if name in PLAIN_ATTRIBUTES and self.level(kind) == STRANGER:
            self._refuse(kind)

    def level(self, kind: Any) -> int:
        """How far objects of a class are believed (`remotes`)."""
        level: int = getattr(kind, "_level", STRANGER)
        if level == STRANGER and kind.__name__ in self.names_to_come and kind.__name__ not in BUILTINS:
            self.look_up(kind.__name__)
            level = getattr(kind, "_level", STRANGER)
        return level

    def name_found(self, found: Any, name: str) -> None:
        """The test has looked up a name. A class is believed to be one if its name is written as those of classes are,
        and more if the source uses what it makes as objects.
        """
        if type(found) is RemoteFunction:
            object.__setattr__(found, "_found_as", (*found._found_as, name))
        elif getattr(found, "_level", NAMED) == STRANGER:
            if self.expects_objects_of((name,)):
                believe(found)
            elif name not in BUILTINS and (plain := name.lstrip("_"))[:1].isupper() and "_" not in plain:
                type.__setattr__(found, "_level", NAMED)

    def name_entry_point(self, found: Any, name: str) -> None:
        """The same for the entry point, which the request names: nobody says whether it is a class."""
        names = ("candidate", name)
        if type(found) is RemoteFunction:
            object.__setattr__(found, "_found_as", names)
        elif getattr(found, "_level", NAMED) == STRANGER and self.expects_objects_of(names):
            believe(found)

    def expects_objects_of(self, names: tuple[str, ...]) -> bool:
        """Whether the test's source uses what these names make as objects."""
        if self._makers is None:
            self._makers = makers_of_objects(self.source) - BUILTINS
        return not self._makers.isdisjoint(names)

    def about(self, remote: Any) -> dict[str, Any]:
        """The metadata of a function of the other side's."""
        return descriptions.metadata(self.operate("about", remote), self.decoded)

    def describe(self, number: int) -> dict[str, Any]:
        """What the other side says of a class of its own. Raises NotPlain."""
        answer = self.exchange({"do": "describe", "args": [{"yours": number}]})
        described = answer.get("description")
        if not isinstance(described, dict):
            raise NotPlain(f"a class that is not described: {answer.get('raised')}")
        return described

    def await_object(self, remote: Remote) -> Any:
        return Steps(self, remote).__await__()

    def derive(self, name: str, bases: tuple[type, ...], members: dict[str, Any], options: dict[str, Any]) -> int:
        """Have the other side define a class whose methods are functions of this side's; return its number."""
        remotes = [base for base in bases if isinstance(base, RemoteClass)]
        kept = {key: value for key, value in members.items() if _is_sendable(value)}
        found = self.operate("derive", name, remotes, kept, options)
        return int(found)

    def register_class(self, built: Any, number: int) -> None:
        self.references.register_class(built, number)

    # Answering.

    def answer_all(self, first: bytes) -> None:
        """Answer requests, of which the first was read already, until there are no more."""
        self._turns.answer_all(first)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        caught = (Exception, SystemExit) if self.trusting and request.get("exits") else (Exception,)
        try:
            operation = request["do"]
            if operation not in OPERATIONS and operation not in _OF_PEERS and operation not in _ANSWERED_APART:
                return self._serve(request)
            if not self.trusting:
                check_target(operation, request["args"])
            args = [self.decoded(item) for item in request["args"]]
            kwargs = {str(name): self.decoded(item) for name, item in request.get("kwargs", {}).items()}
            if not self.trusting:
                check(self, operation, args)
            if operation in CALLS:
                return self._answer_call(operation, args, kwargs, caught)
            if operation == "describe":
                return {"description": self._describe(*args)}
            if operation == "settle":
                return self._answer_settle(args[0], request["changes"])
            if operation in OPERATIONS:
                return self.lent(OPERATIONS[operation](*args, **kwargs), operation == "getattr")
            return {"value": self.encoded(_OF_PEERS[operation](self, *args, **kwargs))}
        except caught as error:  # it is the asker's
            return {"raised": self.errors.encode(error)}

    def lent(self, value: Any, may_lend: bool = True) -> dict[str, Any]:
        """The answer with a value; a container that a test may change is lent to it."""
        answer = {"value": self.encoded(value)}
        if may_lend and self.trusting and lends(value):
            answer["loan"] = self.references.number_of(value)
        return answer

    def _answer_settle(self, container: Any, changed: list[Any]) -> dict[str, Any]:
        before = self.references.parts
        self.references.parts = parts = changes.containers([container])
        try:
            self._apply(parts, changed)
        finally:
            self.references.parts = before
        return {"value": None}

    def _answer_call(
        self, operation: str, args: list[Any], kwargs: dict[str, Any], caught: tuple[type[BaseException], ...]
    ) -> dict[str, Any]:
        function, *rest = args
        if operation == "method":
            function, rest = getattr(function, rest[0]), rest[1:]
        watch = changes.Watch([*args, *kwargs.values()])
        try:
            value = self._call(function, rest, kwargs) if self._call else function(*rest, **kwargs)
            number = watch.number_of(value)
            answer = {"part": number} if number is not None else {"value": self.encoded(value)}
        except caught as error:  # it is the asker's
            answer = {"raised": self.errors.encode(error)}
        changed = watch.changed(self.references)
        return {**answer, "changes": changed} if changed else answer

    @property
    def _loop(self) -> Loop:
        """The event loop for coroutines of this side, made when the first one is asked for."""
        if self._running is None:
            self._running = Loop()
        return self._running

    def _describe(self, kind: type) -> dict[str, Any]:
        return descriptions.of_class(kind, self.encoded, self.references.is_shared)

    def _about(self, function: Any) -> dict[str, Any]:
        return descriptions.of_function(function, self.encoded, self.trusting)

    def _derive(self, name: str, bases: list[type], members: dict[str, Any], options: dict[str, Any]) -> int:
        own = {key: _method(value) if isinstance(value, RemoteFunction) else value for key, value in members.items()}
        kind = type(bases[0])(name, tuple(bases), {"__module__": bases[0].__module__, **own}, **options)
        return self.references.number_of(kind)

    def encoded(self, value: Any) -> Any:
        return values.encode(value, 0, self.references)

    def decoded(self, value: Any) -> Any:
        return values.decode(value, self.references)

    def _refuse(self, kind: Any) -> NoReturn:
        self.raised = TypeError(f"a {kind.__name__} is not a plain value")
        raise self.raised


_OF_PEERS: dict[str, Callable[..., Any]] = {
    "about": Peer._about,
    "derive": Peer._derive,
    "task": lambda peer, awaitable: peer._loop.start(awaitable),
    "step": lambda peer, number: peer._loop.step(number),
    "outcome": lambda peer, number: peer._loop.outcome(number),
    "cancel": lambda peer, number: peer._loop.cancel(number),
}


async def _without_suppressing(leaving: Any) -> bool:
    await leaving
    return False


def _method(function: RemoteFunction) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    call.__name__ = function.__name__
    return call


def _is_sendable(value: Any) -> bool:
    """Whether a member of a class body can be one of a class of the other side's as well."""
    return not isinstance(value, property | classmethod | staticmethod)
