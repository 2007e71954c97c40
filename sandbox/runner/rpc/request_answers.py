"""Answer the requests of the other side: perform operations on objects of this side, within its permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.runner.rpc import codec, container_changes, descriptions
from sandbox.runner.rpc.coroutines import TaskLoop
from sandbox.runner.rpc.function_proxies import FunctionProxy
from sandbox.runner.rpc.library_names import is_library_class
from sandbox.runner.rpc.permissions import check_operation, check_target
from sandbox.runner.rpc.references import ReferenceTable
from sandbox.runner.rpc.special_methods import OPERATIONS
from sandbox.runner.rpc.tracked_copies import is_trackable
from sandbox.runner.rpc.trust_policy import TrustPolicy

CALL_OPERATIONS = frozenset({"call", "method"})
_OPERATIONS_WITH_OWN_ANSWER = CALL_OPERATIONS | {"describe", "settle"}  # whose answer contains more than a value


class RequestAnswerer:
    """Answers the requests of the other side.

    `answer_other` answers requests that are not operations on an object. `call` calls a function and converts its
    arguments according to its annotations.
    """

    def __init__(
        self,
        references: ReferenceTable,
        trust: TrustPolicy,
        answer_other: Callable[[dict[str, Any]], dict[str, Any]],
        call: Callable[..., Any] | None,
    ) -> None:
        self._references, self._trust, self._is_trusting = references, trust, trust.is_trusting
        self._answer_other, self._call = answer_other, call
        self._running_loop: TaskLoop | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Perform the operation that a request names; return its value, or the exception that it raised."""
        caught = (Exception, SystemExit) if self._is_trusting and request.get("exits") else (Exception,)
        try:
            operation = request["do"]
            if (
                operation not in OPERATIONS
                and operation not in _OWN_OPERATIONS
                and operation not in _OPERATIONS_WITH_OWN_ANSWER
            ):
                return self._answer_other(request)
            if not self._is_trusting:
                check_target(operation, request["args"])
            args = [self._decode(item) for item in request["args"]]
            kwargs = {str(name): self._decode(item) for name, item in request.get("kwargs", {}).items()}
            if not self._is_trusting:
                check_operation(self._trust.own_modules, operation, args)
            if operation in CALL_OPERATIONS:
                return self._answer_call(operation, args, kwargs, caught)
            if operation == "describe":
                return {"description": self._describe_class(*args)}
            if operation == "settle":
                return self._answer_write_back(args[0], request["changes"])
            if operation in OPERATIONS:
                return self.build_value_answer(OPERATIONS[operation](*args, **kwargs), operation == "getattr")
            return {"value": self._encode(_OWN_OPERATIONS[operation](self, *args, **kwargs))}
        except caught as error:  # belongs to the side that asked
            return {"raised": self._references.exceptions.encode(error)}

    def build_value_answer(self, value: Any, may_track: bool = True) -> dict[str, Any]:
        """Build the answer that returns a value.

        With `may_track`, the other side tracks the value if it is a container, because the test may change it.
        """
        answer = {"value": self._encode(value)}
        if may_track and self._is_trusting and is_trackable(value):
            answer["loan"] = self._references.get_number(value)
        return answer

    def _answer_write_back(self, container: Any, changed: list[Any]) -> dict[str, Any]:
        before = self._references.argument_containers
        self._references.argument_containers = parts = container_changes.find_containers([container])
        try:
            container_changes.apply_changes(parts, changed, self._references)
        finally:
            self._references.argument_containers = before
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
            answer = {"part": number} if number is not None else {"value": self._encode(value)}
        except caught as error:  # belongs to the side that asked
            answer = {"raised": self._references.exceptions.encode(error)}
        changed = watch.encode_changes(self._references)
        return {**answer, "changes": changed} if changed else answer

    @property
    def _loop(self) -> TaskLoop:
        """Return the event loop for coroutines of this side, created on first use."""
        if self._running_loop is None:
            self._running_loop = TaskLoop()
        return self._running_loop

    def _describe_class(self, kind: type) -> dict[str, Any]:
        return descriptions.describe_class(kind, self._encode, is_library_class)

    def _describe_function(self, function: Any) -> dict[str, Any]:
        return descriptions.describe_function(function, self._encode, self._is_trusting)

    def _define_derived_class(
        self, name: str, bases: list[type], members: dict[str, Any], options: dict[str, Any]
    ) -> int:
        own = {
            key: _wrap_method(value) if isinstance(value, FunctionProxy) else value for key, value in members.items()
        }
        kind = type(bases[0])(name, tuple(bases), {"__module__": bases[0].__module__, **own}, **options)
        return self._references.get_number(kind)

    def _encode(self, value: Any) -> Any:
        return codec.encode(value, 0, self._references)

    def _decode(self, value: Any) -> Any:
        return codec.decode(value, self._references)


_OWN_OPERATIONS: dict[str, Callable[..., Any]] = {
    "about": RequestAnswerer._describe_function,
    "derive": RequestAnswerer._define_derived_class,
    "task": lambda answerer, awaitable: answerer._loop.start_task(awaitable),
    "step": lambda answerer, number: answerer._loop.run_step(number),
    "outcome": lambda answerer, number: answerer._loop.take_result(number),
    "cancel": lambda answerer, number: answerer._loop.cancel_task(number),
}


def _wrap_method(function: FunctionProxy) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    call.__name__ = function.__name__
    return call
