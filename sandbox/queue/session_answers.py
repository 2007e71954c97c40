"""Encode the errors in answers of session hosts, and receive the parts of an unfinished answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis import Redis

from sandbox import errors
from sandbox.queue.result_reader import ResultReader

PART_PREFIX = b"+"  # precedes a part of an answer that is not complete yet

Answer = Mapping[str, Any]
OnPart = Callable[[bytes], object]

# The errors that a host's answer may name.
_ERRORS: dict[str, type[errors.SandboxError]] = {
    kind.__name__: kind
    for kind in (
        errors.BadRequest,
        errors.NotFound,
        errors.SessionEnded,
        errors.SessionBusy,
        errors.SequenceMismatch,
        errors.NoFreeSession,
        errors.BoxError,
        errors.EngineUnavailable,
        errors.EnvironmentFailed,
        errors.QueueUnavailable,
    )
}


class CallReader(ResultReader):
    """Receives the answers to calls, and passes parts of an unfinished answer to a listener."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, lambda _: None, lambda _: None)
        self._listeners: dict[str, OnPart] = {}

    def listen(self, call_id: str, on_part: OnPart) -> None:
        """Call `on_part` with each part of an answer, in the reader's thread, until the answer is complete."""
        self._listeners[call_id] = on_part

    def fail(self, item_ids: Iterable[str], error: Exception) -> None:
        for item_id in item_ids:
            self._listeners.pop(item_id, None)
            super().fail([item_id], error)

    def resolve(self, item_id: str, result: bytes) -> None:
        if result.startswith(PART_PREFIX):
            if (on_part := self._listeners.get(item_id)) is not None:
                on_part(result[len(PART_PREFIX) :])
            return
        self._listeners.pop(item_id, None)
        super().resolve(item_id, result)


def decode_answer(message: bytes) -> Answer:
    """Parse a host's answer. If it describes an error, raises that error."""
    answer: Answer = json.loads(message)
    if (failure := answer.get("error")) is None or "sequence" in answer:
        return answer
    kind = _ERRORS.get(failure["type"], errors.BoxError)
    if issubclass(kind, errors.BadRequest):
        raise kind(failure["message"], failure.get("field", ""))
    raise kind(failure["message"])


def encode_error(error: errors.SandboxError) -> Answer:
    """Describe an error in a host's answer."""
    known = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS), "BoxError")
    return {"error": {"type": known, "message": str(error), "field": getattr(error, "field", "")}}
