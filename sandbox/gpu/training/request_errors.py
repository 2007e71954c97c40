"""Record errors of the request that a training process finds, so that the job is not retried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.gpu.job_dir import JobDir
from sandbox.llm.retry import TRANSIENT_STATUSES

REQUEST_ERRORS = (TypeError, ValueError, KeyError, OSError)


@contextmanager
def report_request_errors(job_dir: JobDir, field: str) -> Iterator[None]:
    """Attribute errors in this block to the request's `field`, unless they may be transient."""
    try:
        yield
    except REQUEST_ERRORS as error:
        if not is_transient(error):
            job_dir.write_refusal(f"{field}: {type(error).__name__}: {error}", field)
        raise


def is_transient(error: BaseException | None) -> bool:
    """Return whether the network, the disk or the hub may have caused the error.

    transformers raises a plain OSError for these errors and for a missing model. Only the cause of the OSError
    distinguishes them.
    """
    while error is not None:
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, TimeoutError)):
            return True
        if getattr(getattr(error, "response", None), "status_code", None) in TRANSIENT_STATUSES:
            return True
        error = error.__cause__ or error.__context__
    return False
