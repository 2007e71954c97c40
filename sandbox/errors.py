"""The exceptions of this package. A program that fails is data (`runner.contract.Status`), never an exception.

SandboxError
├── BadRequest                 the request is invalid; never retried
│   ├── UnknownLanguage
│   ├── LanguageNotInstalled   no worker has the tools of this language
│   ├── NotFound               no such job, or its result has expired
│   ├── SessionEnded           the session was closed, has expired, or its state was lost
│   ├── SessionBusy            the session runs another call
│   ├── SequenceMismatch       the call's number is not the next one
│   ├── IdempotencyKeyReused   the Idempotency-Key was used for another request
│   ├── Unauthorized           the API key is missing or unknown
│   └── Forbidden              the key's role may not do this
├── Refused                    the request is valid but must wait; carries retry_after_s
│   ├── QueueFull
│   ├── CannotRun              no worker can run programs: none is alive, or none can start a box
│   ├── RateLimited            the key exceeds its rate of programs per second
│   ├── QuotaExceeded          the key has too many programs queued
│   ├── StorageQuotaExceeded   the key exceeds its storage quota
│   ├── StorageFull            the queue's Redis has no room left
│   ├── NoFreeSession          all places for sessions are taken, or no session host runs
│   └── SessionQuotaExceeded   the key has its maximum number of sessions open
├── Cancelled                  the submission was cancelled before it had its result
└── InfrastructureError        the service failed; retried on another box, then reported as internal_error
    ├── BoxError               a box broke, hung, could not be proved clean, or sent an invalid reply
    │   └── BoxOutOfMemory     the box itself was killed because of the memory that its program took
    ├── EngineUnavailable      no container engine, no image, or no permission to use it
    ├── QueueUnavailable       Redis does not answer
    └── AnswerTimeout          a client's call had no answer in time; also a TimeoutError
"""

from __future__ import annotations


class SandboxError(Exception):
    """The base class of all exceptions that this package raises on purpose."""


class BadRequest(SandboxError):
    """The request is invalid and retrying does not help. `field` names the faulty part as a dotted path."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class UnknownLanguage(BadRequest):
    """No language has this name."""


class LanguageNotInstalled(BadRequest):
    """The language is known, but no worker has the tools for it."""


class NotFound(BadRequest):
    """No such job, or its result has expired."""


class SessionEnded(BadRequest):
    """The session was closed, has expired, or its state was lost. The message says which. Nothing replaces it."""


class SessionBusy(BadRequest):
    """The session runs another call, and runs one at a time."""


class SequenceMismatch(BadRequest):
    """The call's `sequence` is neither the next number nor that of a call whose answer is still known."""


class IdempotencyKeyReused(BadRequest):
    """The Idempotency-Key was used for another request."""


class Unauthorized(BadRequest):
    """The request has no API key, or an unknown one."""


class Forbidden(BadRequest):
    """The API key is valid, but its role may not do this."""


class Refused(SandboxError):
    """The request is valid but cannot be accepted now. Try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(Refused):
    """The lane holds its maximum number of submissions."""


class CannotRun(Refused):
    """No worker can run the program: none is alive, or no box starts.

    `result` is the item's result as JSON, for callers that cannot retry a single item. Empty if there is none.
    """

    def __init__(self, message: str, retry_after_s: float = 5.0, result: bytes = b"") -> None:
        super().__init__(message, retry_after_s)
        self.result = result


class RateLimited(Refused):
    """The key exceeds its rate of programs per second."""


class QuotaExceeded(Refused):
    """The key has its maximum number of programs queued."""


class StorageQuotaExceeded(Refused):
    """The key stores its maximum number of bytes of results, requests and task sets."""


class StorageFull(Refused):
    """The queue's Redis has no room for the request or its results."""


class NoFreeSession(Refused):
    """All places for sessions are taken, or no session host runs."""


class SessionQuotaExceeded(Refused):
    """The key has its maximum number of sessions open."""


class Cancelled(SandboxError):
    """The submission was cancelled before it had its result."""


class InfrastructureError(SandboxError):
    """The service failed, not the program."""


class BoxError(InfrastructureError):
    """A box broke, hung, could not be proved clean, or sent an invalid reply. It must be destroyed."""


class BoxOutOfMemory(BoxError):
    """The box itself ran out of memory: its program used memory that is not charged to any process."""


class EngineUnavailable(InfrastructureError):
    """The container engine does not answer, an image is missing, or the isolation layers cannot be set up."""


class QueueUnavailable(InfrastructureError):
    """Redis does not answer."""


class AnswerTimeout(InfrastructureError, TimeoutError):
    """The service did not answer a call of the client in time. It may still be working on the request."""
