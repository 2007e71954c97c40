"""The exceptions of this package. A program's bad end is data (`runner.contract.Status`), never one of these.

SandboxError
├── BadRequest                 the client asked for something that cannot be; never retried
│   ├── UnknownLanguage
│   ├── LanguageNotInstalled   no worker has what this language needs
│   ├── NotFound               no such job, or its result has expired
│   ├── IdempotencyKeyReused   the Idempotency-Key was used for another request
│   ├── Unauthorized           no API key, or none that is known
│   └── Forbidden              the key's role may not do this
├── Refused                    asked well, but not now; carries retry_after_s
│   ├── QueueFull
│   ├── CannotRun              no worker can run programs: none is alive, or none can start a box
│   ├── RateLimited            the key has spent its programs a second
│   ├── QuotaExceeded          the key has as many programs queued as it may
│   ├── StorageQuotaExceeded   the key is over its storage quota
│   └── StorageFull            the queue's Redis has no room left
├── Cancelled                  the submission was cancelled before it had its result
└── InfrastructureError        our failure; retried on another box, then reported as internal_error
    ├── BoxError               a box broke, hung, could not be proved clean or answered nonsense
    │   └── BoxOutOfMemory     the box itself was killed for the memory that its program took
    ├── EngineUnavailable      no container engine, no image, or no permission to use it
    └── QueueUnavailable       Redis does not answer
"""

from __future__ import annotations


class SandboxError(Exception):
    """Root of every exception this package raises on purpose."""


class BadRequest(SandboxError):
    """The request cannot be served, now or later. `field` names the part at fault, as a dotted path."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class UnknownLanguage(BadRequest):
    """The language is not in the table."""


class LanguageNotInstalled(BadRequest):
    """The language is in the table, and no worker has what it needs."""


class NotFound(BadRequest):
    """No such job, or its result has expired."""


class IdempotencyKeyReused(BadRequest):
    """The Idempotency-Key was used for another request."""


class Unauthorized(BadRequest):
    """No API key came with the request, or none that is known here."""


class Forbidden(BadRequest):
    """The API key is known, and its role may not do this."""


class Refused(SandboxError):
    """The request is good but cannot be taken now; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(Refused):
    """The lane holds as many submissions as it may."""


class CannotRun(Refused):
    """No worker can run the program: none is alive, or no box starts.

    `result` is the item's result as JSON for whoever cannot repeat one item alone; empty when there is none.
    """

    def __init__(self, message: str, retry_after_s: float = 5.0, result: bytes = b"") -> None:
        super().__init__(message, retry_after_s)
        self.result = result


class RateLimited(Refused):
    """The key has spent its programs a second."""


class QuotaExceeded(Refused):
    """The key has as many programs queued as it may."""


class StorageQuotaExceeded(Refused):
    """The key keeps as many bytes of results, requests and task sets as it may."""


class StorageFull(Refused):
    """The queue's Redis has no room for the request or for its results."""


class Cancelled(SandboxError):
    """The submission was cancelled before it had its result."""


class InfrastructureError(SandboxError):
    """We failed, not the program."""


class BoxError(InfrastructureError):
    """A box broke, hung, could not be proved clean, or answered nonsense; it has to be destroyed."""


class BoxOutOfMemory(BoxError):
    """The box itself was killed for want of memory, which its program had taken in ways that count for no process."""


class EngineUnavailable(InfrastructureError):
    """No container engine answers, an image is missing, or the walls cannot be put up."""


class QueueUnavailable(InfrastructureError):
    """Redis does not answer."""
