"""A peer for remote procedure calls between two processes: a test and the program it tests, in two boxes.

Each side writes lines of JSON to the other: requests and answers. While a side waits for an answer it serves requests,
so a program may call back functions that the test passed to it. A request names its thread unless that is the main one,
and each thread on one side has a counterpart on the other (`channel`). Values are copied (`codec`, `library_codec`).
Everything else travels by reference (`references`) and is used through a proxy that asks its owner (`proxies`).

An object of the program that claims to equal everything must not deceive a test. The program can therefore return three
kinds of results. A value is rebuilt in the test's process, with the `==` of its builtin or standard library type. A
function or an iterator equals only itself. An object of a class is trusted only as far as the test's own source allows
(`trust_policy`). The program never decides whether a value equals the expected one, unless the test uses that value as
an object of the program's class.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, NoReturn

from sandbox.runner.cpu_allowance import open_recorder
from sandbox.runner.rpc import codec, container_changes, descriptions
from sandbox.runner.rpc.channel import PROGRAM_SIDE, TEST_SIDE, MessageChannel
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.runner.rpc.function_proxies import FunctionProxy, set_lookup_names
from sandbox.runner.rpc.object_factories import PLAIN_VALUE_ATTRIBUTES
from sandbox.runner.rpc.permissions import MOCK_MODULE
from sandbox.runner.rpc.references import ReferenceTable
from sandbox.runner.rpc.request_answers import RequestAnswerer
from sandbox.runner.rpc.test_files import TestFiles
from sandbox.runner.rpc.tracked_copies import TrackedCopies, is_trackable
from sandbox.runner.rpc.trust_policy import UNTRUSTED, TrustPolicy

# Operations that may end an iteration with StopIteration or StopAsyncIteration.
_MAY_STOP_ITERATION = frozenset({"next", "resume", "inherited", "anext", "task", "step", "outcome", "cancel"})
_ITERATION_METHODS = frozenset({"__next__", "__anext__"})


class RpcPeer:
    """One side of the connection.

    It sends requests to the other side and answers those it receives (`request_answers`).
    """

    def __init__(
        self,
        requests: IO[bytes],
        answers: IO[bytes],
        answer_other: Callable[[dict[str, Any]], dict[str, Any]],
        end_process: Callable[[str], NoReturn],
        call: Callable[..., Any] | None = None,
    ) -> None:
        """Connect to the other side.

        `answer_other` answers requests that are not operations on an object.

        `end_process` is called with a reason when the other side is gone or breaks the rules. `call` calls a function
        and converts its arguments according to its annotations. Only the program's side passes it, which also means
        that this side trusts the other.
        """
        self.program_name = "program"
        self.trust = TrustPolicy(is_trusting=call is not None)
        self.references = ReferenceTable(self, end_process)
        self._answerer = RequestAnswerer(self.references, self.trust, answer_other, call)
        self._tracked_copies = TrackedCopies()
        self._files: TestFiles | None = None
        side, account = (PROGRAM_SIDE, None) if self.trust.is_trusting else (TEST_SIDE, open_recorder())
        self._channel = MessageChannel(requests, answers, self._answerer.answer, end_process, side, account)
        self.last_raised: BaseException | None = None

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request and return the value of the answer. Raises what the other side raised."""
        return self.decode_answer(self.exchange(request))

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer; answer the other side's requests in the meantime."""
        if self._tracked_copies:
            self._write_back_copies()
        return self._channel.exchange(request)

    def share_files(self, files: TestFiles) -> None:
        """Share the temporary files of the test with its program."""
        self._files = files
        self._channel.share_files(files)

    def note_path_object(self, value: Any) -> None:
        """Share the folder of an object that is sent by reference, if the object is a path."""
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
                error = self.references.exceptions.decode(answer["raised"])
                self.last_raised = error if may_stop_iteration else self.trust.replace_stop_iteration(error)
                if hasattr(self.last_raised, "__dict__"):
                    self.last_raised.__dict__["_caught"] = True  # raised by the program, not returned as a value
            else:
                value = self.decode(answer.get("value"))
                if "loan" in answer and not self.trust.is_trusting and is_trackable(value):
                    self._tracked_copies.add(answer["loan"], value)
                return value
        except (UnsupportedValue, LookupError, TypeError, AttributeError) as error:
            self.last_raised = TypeError(str(error))
            raise self.last_raised from None
        raise self.last_raised

    def operate(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Perform an operation on an object of the other side. Raises what the other side raised."""
        request: dict[str, Any] = {"do": operation, "args": [self.encode(item) for item in args]}
        if kwargs:
            request["kwargs"] = {name: self.encode(item) for name, item in kwargs.items()}
        if self.trust.catches_exits:
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
            container_changes.apply_changes(parts, answer.get("changes", ()), self.references)
            return parts[answer["part"]] if "part" in answer else self.decode_answer(answer, may_stop_iteration)
        except (UnsupportedValue, LookupError, TypeError, ValueError) as error:
            if error is self.last_raised:
                raise
            self.last_raised = TypeError(f"the answer does not match the arguments: {error}")
            raise self.last_raised from None
        finally:
            self.references.argument_containers = before

    def operate_if_trusted(self, kind: Any, operation: str, *args: Any) -> Any:
        """Perform an operation that requires an object of a class that the test names. Raises TypeError."""
        if self.trust.get_level(kind) == UNTRUSTED:
            self._refuse_untrusted(kind)
        return self.operate(operation, *args)

    def check_attribute(self, kind: Any, name: str) -> None:
        """Raise TypeError for an attribute of plain values on an object of an untrusted class.

        Such an object therefore cannot pose as a value.
        """
        if name in PLAIN_VALUE_ATTRIBUTES and self.trust.get_level(kind) == UNTRUSTED:
            self._refuse_untrusted(kind)

    def _refuse_untrusted(self, kind: Any) -> NoReturn:
        self.last_raised = TypeError(f"a {kind.__name__} is not a plain value")
        raise self.last_raised

    def note_lookup(self, found: Any, name: str) -> None:
        """Record that the test has looked up a name of the program, so that a class it names is trusted."""
        if type(found) is FunctionProxy:
            set_lookup_names(found, (*found._lookup_names, name))
        else:
            self.trust.raise_level(found, name)

    def note_entry_point(self, found: Any, name: str) -> None:
        """Record the lookup of the entry point, which the test may also call `candidate`."""
        names = ("candidate", name)
        if type(found) is FunctionProxy:
            set_lookup_names(found, names)
        else:
            self.trust.raise_entry_point_level(found, names)

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

    def register_class(self, built: Any, number: int) -> None:
        """Store the class that represents the class of the other side with this number."""
        self.references.register_class(built, number)

    def answer_all(self, first: bytes) -> None:
        """Answer requests, starting with `first`, until there are no more."""
        self._channel.answer_all(first)

    def build_value_answer(self, value: Any) -> dict[str, Any]:
        """Build the answer to a request for a value of this side."""
        return self._answerer.build_value_answer(value)

    def encode(self, value: Any) -> Any:
        return codec.encode(value, 0, self.references)

    def decode(self, value: Any) -> Any:
        return codec.decode(value, self.references)
