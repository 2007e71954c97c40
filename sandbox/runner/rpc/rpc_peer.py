"""A peer for remote procedure calls between two processes: a test and the program it tests, in two boxes.

Each side writes lines of JSON to the other: requests and answers. While a side waits for an answer it serves requests,
so a program may call back functions that the test passed to it. A request names its thread unless that is the main one,
and each thread on one side has a counterpart on the other (`channel`). Values are copied (`codec`, `library_codec`).
Everything else travels by reference (`references`) and is used through a proxy that asks its owner (`proxies`).

A test must not be fooled by an object of the program that claims to equal everything. The program can return three
kinds of results: a value that is rebuilt here, with the `==` of its builtin or standard library type; a function or an
iterator, which equals nothing else; or an object of a class, which is trusted only as far as the test's own source
allows (`proxies` defines the levels). The program never decides whether a value equals the expected one, unless the
test uses that value as an object of the program's class.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, NoReturn

from sandbox.runner.cpu_allowance import open_recorder
from sandbox.runner.rpc import codec, container_changes, descriptions
from sandbox.runner.rpc.channel import PROGRAM_SIDE, TEST_SIDE, MessageChannel
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.runner.rpc.coroutines import RemoteTask, TaskLoop
from sandbox.runner.rpc.exception_codec import ExceptionCodec
from sandbox.runner.rpc.object_factories import find_object_factories
from sandbox.runner.rpc.permissions import MOCK_MODULE, check_operation, check_target
from sandbox.runner.rpc.proxies import (
    NAMED,
    PLAIN_VALUE_ATTRIBUTES,
    UNTRUSTED,
    ClassProxy,
    FunctionProxy,
    Proxy,
    trust_class,
)
from sandbox.runner.rpc.references import ReferenceTable
from sandbox.runner.rpc.shared_files import TestFiles
from sandbox.runner.rpc.source_names import BUILTIN_NAMES
from sandbox.runner.rpc.special_methods import OPERATIONS
from sandbox.runner.rpc.tracked_copies import TrackedCopies, is_trackable

CALL_OPERATIONS = frozenset({"call", "method"})
_OPERATIONS_WITH_OWN_ANSWER = CALL_OPERATIONS | {"describe", "settle"}  # whose answer contains more than a value
# Operations that may end an iteration with StopIteration or StopAsyncIteration.
_MAY_STOP_ITERATION = frozenset({"next", "resume", "inherited", "anext", "task", "step", "outcome", "cancel"})
_ITERATION_METHODS = frozenset({"__next__", "__anext__"})


class RpcPeer:
    """One side of the connection.

    `answer_other` answers requests that are not operations on an object. `end_process` is called when the other side is
    gone.
    """

    def __init__(
        self,
        requests: IO[bytes],
        answers: IO[bytes],
        answer_other: Callable[[dict[str, Any]], dict[str, Any]],
        end_process: Callable[[str], NoReturn],
        call: Callable[..., Any] | None = None,
    ) -> None:
        """`call` calls a function with its arguments converted as it declares. Only the program's side has one.

        That side trusts the other: it accepts any object by reference and performs any requested operation on its own
        objects.
        """
        self._answer_other, self.end_process = answer_other, end_process
        self._call = call
        self.is_trusting = call is not None
        self.program_name = "program"
        self.references = ReferenceTable(self)
        self.exception_codec: ExceptionCodec = ExceptionCodec(self)
        self._running_loop: TaskLoop | None = None
        self._tracked_copies = TrackedCopies()
        side, account = (PROGRAM_SIDE, None) if self.is_trusting else (TEST_SIDE, open_recorder())
        self._channel = MessageChannel(requests, answers, self.answer, end_process, side, account)
        self.last_raised: BaseException | None = None

    # For a side that does not trust the other: the modules of its own classes, the names that its source looks up in
    # the program, the function that looks them up, and the source.
    own_modules: frozenset[str] = frozenset()
    expected_names: frozenset[str] = frozenset()
    look_up: Callable[[str], Any] = staticmethod(lambda name: None)
    source = ""
    catches_exits = False  # whether the source may catch the SystemExit that a function of the program raises
    _object_factories: frozenset[str] | None = None
    _files: TestFiles | None = None

    def set_source(self, source: str) -> None:
        """Store the source of the test, which decides which exceptions it receives."""
        self.source, self.catches_exits = source, "SystemExit" in source

    # Asking.

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request and return the value of the answer. Raises what the other side raised."""
        return self.decode_answer(self.exchange(request))

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and answer the other side's requests until the answer arrives."""
        if self._tracked_copies:
            self._write_back_copies()
        return self._channel.exchange(request)

    def share_files(self, files: TestFiles) -> None:
        """Share the temporary files of the test with its program."""
        self._files = files
        self._channel.share_files(files)

    def note_path_object(self, value: Any) -> None:
        """Share the path of an object that goes to the other side by reference, if it is a path."""
        kind = type(value)
        if self._files is not None and hasattr(kind, "__fspath__") and kind.__module__ != MOCK_MODULE:
            with suppress(Exception):  # the object is the test's own and may raise anything
                self._files.note_path(kind.__fspath__(value))

    def _write_back_copies(self) -> None:
        """Update containers of the other side with the changes to their local copies."""
        for number, changed in self._tracked_copies.collect_changes(self.references):
            self._channel.exchange({"do": "settle", "args": [{"yours": number}], "changes": changed})

    def decode_answer(self, answer: dict[str, Any], may_stop_iteration: bool = False) -> Any:
        """Return the value of an answer, or raise what the other side raised.

        `may_stop_iteration` allows StopIteration, which ends an iteration.
        """
        try:
            if "raised" in answer:
                self.last_raised = self._replace_stop_iteration(
                    self.exception_codec.decode(answer["raised"]), may_stop_iteration
                )
                if hasattr(self.last_raised, "__dict__"):
                    self.last_raised.__dict__["_caught"] = True  # raised by the program, not returned as a value
            else:
                value = self.decode(answer.get("value"))
                if "loan" in answer and not self.is_trusting and is_trackable(value):
                    self._tracked_copies.add(answer["loan"], value)
                return value
        except (UnsupportedValue, LookupError, TypeError, AttributeError) as error:
            self.last_raised = TypeError(str(error))
            raise self.last_raised from None
        raise self.last_raised

    def operate(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Perform an operation on an object of the other side."""
        request: dict[str, Any] = {"do": operation, "args": [self.encode(item) for item in args]}
        if kwargs:
            request["kwargs"] = {name: self.encode(item) for name, item in kwargs.items()}
        if self.catches_exits:
            request["exits"] = True
        may_stop_iteration = operation in _MAY_STOP_ITERATION or (
            operation == "special" and args[1] in _ITERATION_METHODS
        )
        answer = self.exchange(request)
        if "changes" not in answer and "part" not in answer:
            return self.decode_answer(answer, may_stop_iteration)
        before = self.references.argument_containers
        self.references.argument_containers = parts = container_changes.find_containers([*args, *kwargs.values()])
        try:
            self._apply_changes(parts, answer.get("changes", ()))
            return parts[answer["part"]] if "part" in answer else self.decode_answer(answer, may_stop_iteration)
        except (UnsupportedValue, LookupError, TypeError, ValueError) as error:
            if error is self.last_raised:
                raise
            self.last_raised = TypeError(f"the answer does not match the arguments: {error}")
            raise self.last_raised from None
        finally:
            self.references.argument_containers = before

    def _replace_stop_iteration(self, error: BaseException, may_stop_iteration: bool) -> BaseException:
        """Return the exception to raise for one of the other side.

        As in a generator, StopIteration becomes a RuntimeError. It would otherwise end a loop of the test, such as
        `all(map(check, cases))`.
        """
        if may_stop_iteration or self.is_trusting or not isinstance(error, StopIteration | StopAsyncIteration):
            return error
        kind = StopIteration if isinstance(error, StopIteration) else StopAsyncIteration
        return error if kind.__name__ in self.source else RuntimeError(f"the program raised {kind.__name__}")

    def _apply_changes(self, parts: list[Any], changed: Any) -> None:
        for number, content in changed:
            container_changes.apply_content(parts[number], [self.decode(item) for item in content])

    def exit_context(self, operation: str, target: Proxy, error: BaseException | None) -> Any:
        """Leave a `with` block by `exit` or `aexit`.

        The program cannot suppress a failed assertion of the test unless the test's source mentions AssertionError.
        """
        suppressed = self.operate(operation, target, error)
        if (
            self.is_trusting
            or error is None
            or (isinstance(error, Exception) and not isinstance(error, AssertionError))
        ):
            return suppressed
        if "AssertionError" in self.source or getattr(error, "_caught", False):
            return suppressed
        return _await_without_suppressing(suppressed) if operation == "aexit" else False

    def operate_if_trusted(self, kind: Any, operation: str, *args: Any) -> Any:
        """Perform an operation that requires an object of a class that the test names."""
        if self.get_trust_level(kind) == UNTRUSTED:
            self._refuse_untrusted(kind)
        return self.operate(operation, *args)

    def check_attribute(self, kind: Any, name: str) -> None:
        """Refuse attributes of plain values on an object whose class the test does not name, so it cannot pose as a
        value.
        """
        if name in PLAIN_VALUE_ATTRIBUTES and self.get_trust_level(kind) == UNTRUSTED:
            self._refuse_untrusted(kind)

    def get_trust_level(self, kind: Any) -> int:
        """Return the trust level of a class (`proxies`)."""
        level: int = getattr(kind, "_trust_level", UNTRUSTED)
        if level == UNTRUSTED and kind.__name__ in self.expected_names and kind.__name__ not in BUILTIN_NAMES:
            self.look_up(kind.__name__)
            level = getattr(kind, "_trust_level", UNTRUSTED)
        return level

    def note_lookup(self, found: Any, name: str) -> None:
        """Record that the test has looked up a name.

        A class is trusted at level 1 if its name is written like a class name, and fully if the source uses its results
        as objects.
        """
        if type(found) is FunctionProxy:
            object.__setattr__(found, "_lookup_names", (*found._lookup_names, name))
        elif getattr(found, "_trust_level", NAMED) == UNTRUSTED:
            if self.expects_objects_of((name,)):
                trust_class(found)
            elif name not in BUILTIN_NAMES and (plain := name.lstrip("_"))[:1].isupper() and "_" not in plain:
                type.__setattr__(found, "_trust_level", NAMED)

    def note_entry_point(self, found: Any, name: str) -> None:
        """Record the lookup of the entry point.

        The request names it, so its name does not show whether it is a class.
        """
        names = ("candidate", name)
        if type(found) is FunctionProxy:
            object.__setattr__(found, "_lookup_names", names)
        elif getattr(found, "_trust_level", NAMED) == UNTRUSTED and self.expects_objects_of(names):
            trust_class(found)

    def expects_objects_of(self, names: tuple[str, ...]) -> bool:
        """Return whether the test's source uses the results of these names as objects."""
        if self._object_factories is None:
            self._object_factories = find_object_factories(self.source) - BUILTIN_NAMES
        return not self._object_factories.isdisjoint(names)

    def fetch_metadata(self, proxy: Any) -> dict[str, Any]:
        """Return the metadata of a function of the other side."""
        return descriptions.decode_metadata(self.operate("about", proxy), self.decode)

    def fetch_description(self, number: int) -> dict[str, Any]:
        """Return the other side's description of one of its classes. Raises UnsupportedValue."""
        answer = self.exchange({"do": "describe", "args": [{"yours": number}]})
        description = answer.get("description")
        if not isinstance(description, dict):
            raise UnsupportedValue(f"the other side did not describe a class: {answer.get('raised')}")
        return description

    def await_object(self, proxy: Proxy) -> Any:
        return RemoteTask(self, proxy).__await__()

    def derive_class(self, name: str, bases: tuple[type, ...], members: dict[str, Any], options: dict[str, Any]) -> int:
        """Have the other side define a class whose methods are functions of this side; return its number."""
        proxy_bases = [base for base in bases if isinstance(base, ClassProxy)]
        sendable_members = {key: value for key, value in members.items() if _is_sendable(value)}
        found = self.operate("derive", name, proxy_bases, sendable_members, options)
        return int(found)

    def register_class(self, built: Any, number: int) -> None:
        self.references.register_class(built, number)

    # Answering.

    def answer_all(self, first: bytes) -> None:
        """Answer requests, starting with `first`, until there are no more."""
        self._channel.answer_all(first)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        caught = (Exception, SystemExit) if self.is_trusting and request.get("exits") else (Exception,)
        try:
            operation = request["do"]
            if (
                operation not in OPERATIONS
                and operation not in _PEER_OPERATIONS
                and operation not in _OPERATIONS_WITH_OWN_ANSWER
            ):
                return self._answer_other(request)
            if not self.is_trusting:
                check_target(operation, request["args"])
            args = [self.decode(item) for item in request["args"]]
            kwargs = {str(name): self.decode(item) for name, item in request.get("kwargs", {}).items()}
            if not self.is_trusting:
                check_operation(self, operation, args)
            if operation in CALL_OPERATIONS:
                return self._answer_call(operation, args, kwargs, caught)
            if operation == "describe":
                return {"description": self._describe_class(*args)}
            if operation == "settle":
                return self._answer_write_back(args[0], request["changes"])
            if operation in OPERATIONS:
                return self.build_value_answer(OPERATIONS[operation](*args, **kwargs), operation == "getattr")
            return {"value": self.encode(_PEER_OPERATIONS[operation](self, *args, **kwargs))}
        except caught as error:  # belongs to the side that asked
            return {"raised": self.exception_codec.encode(error)}

    def build_value_answer(self, value: Any, may_track: bool = True) -> dict[str, Any]:
        """Build the answer for a value. A container that a test may change is tracked on the other side."""
        answer = {"value": self.encode(value)}
        if may_track and self.is_trusting and is_trackable(value):
            answer["loan"] = self.references.get_number(value)
        return answer

    def _answer_write_back(self, container: Any, changed: list[Any]) -> dict[str, Any]:
        before = self.references.argument_containers
        self.references.argument_containers = parts = container_changes.find_containers([container])
        try:
            self._apply_changes(parts, changed)
        finally:
            self.references.argument_containers = before
        return {"value": None}

    def _answer_call(
        self, operation: str, args: list[Any], kwargs: dict[str, Any], caught: tuple[type[BaseException], ...]
    ) -> dict[str, Any]:
        function, *rest = args
        if operation == "method":
            function, rest = getattr(function, rest[0]), rest[1:]
        watch = container_changes.ContainerSnapshot([*args, *kwargs.values()])
        try:
            value = self._call(function, rest, kwargs) if self._call else function(*rest, **kwargs)
            number = watch.find_number(value)
            answer = {"part": number} if number is not None else {"value": self.encode(value)}
        except caught as error:  # belongs to the side that asked
            answer = {"raised": self.exception_codec.encode(error)}
        changed = watch.encode_changes(self.references)
        return {**answer, "changes": changed} if changed else answer

    @property
    def _loop(self) -> TaskLoop:
        """Return the event loop for coroutines of this side, created on first use."""
        if self._running_loop is None:
            self._running_loop = TaskLoop()
        return self._running_loop

    def _describe_class(self, kind: type) -> dict[str, Any]:
        return descriptions.describe_class(kind, self.encode, self.references.is_shared)

    def _describe_function(self, function: Any) -> dict[str, Any]:
        return descriptions.describe_function(function, self.encode, self.is_trusting)

    def _define_derived_class(
        self, name: str, bases: list[type], members: dict[str, Any], options: dict[str, Any]
    ) -> int:
        own = {
            key: _wrap_method(value) if isinstance(value, FunctionProxy) else value for key, value in members.items()
        }
        kind = type(bases[0])(name, tuple(bases), {"__module__": bases[0].__module__, **own}, **options)
        return self.references.get_number(kind)

    def encode(self, value: Any) -> Any:
        return codec.encode(value, 0, self.references)

    def decode(self, value: Any) -> Any:
        return codec.decode(value, self.references)

    def _refuse_untrusted(self, kind: Any) -> NoReturn:
        self.last_raised = TypeError(f"a {kind.__name__} is not a plain value")
        raise self.last_raised


_PEER_OPERATIONS: dict[str, Callable[..., Any]] = {
    "about": RpcPeer._describe_function,
    "derive": RpcPeer._define_derived_class,
    "task": lambda peer, awaitable: peer._loop.start_task(awaitable),
    "step": lambda peer, number: peer._loop.run_step(number),
    "outcome": lambda peer, number: peer._loop.take_result(number),
    "cancel": lambda peer, number: peer._loop.cancel_task(number),
}


async def _await_without_suppressing(leaving: Any) -> bool:
    await leaving
    return False


def _wrap_method(function: FunctionProxy) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    call.__name__ = function.__name__
    return call


def _is_sendable(value: Any) -> bool:
    """Return whether a member of a class body can also be a member of a class on the other side."""
    return not isinstance(value, property | classmethod | staticmethod)
