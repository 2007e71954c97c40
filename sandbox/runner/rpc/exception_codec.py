"""Encode and decode the exceptions that travel between a test and its program.

An exception is rebuilt with the same builtin class, or with a proxy class if its class belongs to the other side. If it
returns to the side that raised it, that side gets the original object back.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import ReferenceCodec, UnsupportedValue
from sandbox.runner.rpc.trust_policy import TrustPolicy

MAX_TEXT_CHARS = 10_000
MAX_CAUSES = 20


class ErrorReferences(ReferenceCodec, Protocol):
    """Encodes the classes and arguments of exceptions, and numbers the exceptions."""

    def encode_class(self, kind: type) -> Any:
        """Encode a class of this side or of the other side."""

    def get_number(self, value: Any) -> int:
        """Return the number of an object of this side; assign one if it has none."""


class ExceptionCodec:
    """Encodes and decodes the exceptions of one side.

    `end_process` ends this side with a reason.
    """

    def __init__(self, references: ErrorReferences, trust: TrustPolicy, end_process: Callable[[str], NoReturn]) -> None:
        self._references, self._trust, self._end_process = references, trust, end_process

    def encode(self, error: BaseException, causes: int = 0) -> dict[str, Any]:
        """Encode an exception: its text, class, arguments and causes."""
        references = self._references
        number = error.__dict__.get("_number")
        text = get_text(error)
        encoded: dict[str, Any] = {"error": text, "kind": type(error).__name__}
        if number is not None:
            return {**encoded, "yours": number}
        encoded["class"] = references.encode_class(type(error))
        encoded["number"] = references.get_number(error)
        try:
            encoded["args"] = [codec.encode(item, 0, references) for item in _get_arguments(error)]
        except (UnsupportedValue, TypeError):
            encoded["args"] = [text]
        if error.__cause__ is not None and causes < MAX_CAUSES:
            encoded["cause"] = self.encode(error.__cause__, causes + 1)
        return encoded

    def decode(self, encoded: dict[str, Any]) -> BaseException:
        """Rebuild an encoded exception.

        If it does not derive from `Exception`, end this side instead, unless it is a SystemExit that the test may
        catch.
        """
        references = self._references
        if "yours" in encoded:
            found = references.decode("yours", encoded["yours"])
            if isinstance(found, BaseException):
                return found
            raise UnsupportedValue("not an exception")
        text = str(encoded["error"])[:MAX_TEXT_CHARS]
        kind = codec.decode(encoded["class"], references)
        crossing = (Exception, SystemExit) if self._trust.catches_exits else Exception
        if not (isinstance(kind, type) and issubclass(kind, crossing)):
            self._end_process(f"{encoded['kind']}: {text}")
        try:
            args = [codec.decode(item, references) for item in encoded.get("args", [])]
        except UnsupportedValue:
            args = [text]
        error: BaseException = self._build(kind, args, text)
        number = encoded.get("number")
        if type(number) is int and hasattr(error, "__dict__"):
            error.__dict__.update(_number=number, _text=text)
        if "cause" in encoded:
            error.__cause__ = self.decode(encoded["cause"])
        return error

    def _build(self, kind: Any, args: list[Any], text: str) -> Any:
        if getattr(kind, "_class_number", None) is None:
            try:
                return kind(*args)
            except Exception:  # noqa: BLE001 - a builtin class whose constructor takes different arguments
                return Exception(text) if issubclass(kind, builtins.BaseExceptionGroup) else _build_bare(kind, args)
        return _build_bare(kind, args)


def _build_bare(kind: Any, args: list[Any]) -> Any:
    """Create an exception with the given arguments without calling its constructor."""
    try:
        error = kind.__new__(kind, *args)
    except Exception:  # noqa: BLE001 - as above
        error = Exception.__new__(kind)
    error.args = tuple(args)
    return error


def _get_arguments(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments that rebuild an exception.

    For an OSError, they include the file names stored outside `args`.
    """
    if isinstance(error, OSError) and type(error).__module__ == "builtins" and len(error.args) == 2:
        if error.filename2 is not None:
            return (*error.args, error.filename, None, error.filename2)
        if error.filename is not None:
            return (*error.args, error.filename)
    return error.args


def get_text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_TEXT_CHARS]
    except Exception:  # noqa: BLE001 - the program defines its __str__
        return ""
