"""The HTTP names of errors: one table, which the API uses to render errors and the client to parse them."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.errors import (
    BadRequest,
    BoxError,
    BoxOutOfMemory,
    Cancelled,
    CannotRun,
    EngineUnavailable,
    EnvironmentFailed,
    Forbidden,
    IdempotencyKeyReused,
    InfrastructureError,
    LanguageNotInstalled,
    NoFreeSession,
    NotFound,
    QueueFull,
    QueueUnavailable,
    QuotaExceeded,
    RateLimited,
    Refused,
    SandboxError,
    SequenceMismatch,
    SessionBusy,
    SessionEnded,
    SessionQuotaExceeded,
    StorageFull,
    StorageQuotaExceeded,
    Unauthorized,
    UnknownEnvironment,
    UnknownLanguage,
)


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """The `type`, `status` and `title` of one error's problem document.

    `detail` replaces the error's own message if that could reveal what a client sent or internal information.
    """

    error: type[SandboxError]
    name: str
    status: int
    title: str
    detail: str = ""

    @property
    def type(self) -> str:
        return f"urn:sandbox:{self.name}"


_TRY_AGAIN = "the service failed, not the program: try again, and check /health/ready and the server's log"

# From the leaves of the class tree to its root, so that the first match is the closest.
ERROR_CODES = (
    ErrorCode(UnknownLanguage, "unknown-language", 422, "Unknown language"),
    ErrorCode(LanguageNotInstalled, "language-not-installed", 422, "Language not installed"),
    ErrorCode(UnknownEnvironment, "unknown-environment", 422, "Unknown environment"),
    ErrorCode(NotFound, "not-found", 404, "Not found"),
    ErrorCode(SessionEnded, "session-ended", 410, "Session ended"),
    ErrorCode(SessionBusy, "session-busy", 409, "Session busy"),
    ErrorCode(SequenceMismatch, "sequence-mismatch", 409, "Sequence number out of order"),
    ErrorCode(IdempotencyKeyReused, "idempotency-key-reused", 422, "Idempotency-Key used for another request"),
    ErrorCode(Unauthorized, "unauthorized", 401, "API key missing or unknown"),
    ErrorCode(Forbidden, "forbidden", 403, "Not allowed with this API key"),
    ErrorCode(BadRequest, "bad-request", 422, "Invalid request"),
    ErrorCode(QueueFull, "queue-full", 503, "Queue full"),
    ErrorCode(
        CannotRun,
        "cannot-run",
        503,
        "Programs cannot run now",
        "no worker can run this program now: try again, and check /health/ready",
    ),
    ErrorCode(RateLimited, "rate-limited", 429, "Too many programs per second"),
    ErrorCode(QuotaExceeded, "quota-exceeded", 429, "Too many programs queued"),
    ErrorCode(StorageQuotaExceeded, "storage-quota-exceeded", 507, "Storage quota exceeded"),
    ErrorCode(StorageFull, "storage-full", 503, "Queue storage full"),
    ErrorCode(NoFreeSession, "no-free-session", 503, "No free session"),
    ErrorCode(SessionQuotaExceeded, "session-quota-exceeded", 429, "Too many sessions open"),
    ErrorCode(Refused, "refused", 503, "Temporarily refused"),
    ErrorCode(Cancelled, "cancelled", 409, "Cancelled"),
    ErrorCode(BoxOutOfMemory, "box-out-of-memory", 502, "Box ran out of memory", _TRY_AGAIN),
    ErrorCode(BoxError, "box-error", 502, "Box failed", _TRY_AGAIN),
    ErrorCode(EngineUnavailable, "engine-unavailable", 502, "Container engine unavailable", _TRY_AGAIN),
    ErrorCode(EnvironmentFailed, "environment-failed", 502, "Environment failed"),
    ErrorCode(
        QueueUnavailable, "queue-unavailable", 503, "Queue unavailable", "the queue's Redis does not answer: try again"
    ),
    ErrorCode(InfrastructureError, "infrastructure-error", 500, "Infrastructure failed", _TRY_AGAIN),
    ErrorCode(SandboxError, "error", 500, "Internal error", _TRY_AGAIN),
)

_BY_TYPE = {code.type: code for code in ERROR_CODES}


def find_by_error(error: SandboxError) -> ErrorCode:
    """Return the code of an error's class, or of its closest ancestor that has one."""
    return next(code for code in ERROR_CODES if isinstance(error, code.error))


def find_by_type(problem_type: str) -> ErrorCode | None:
    """Return the code with this problem `type`, or None if the type is unknown."""
    return _BY_TYPE.get(problem_type)
