"""What a training process finds wrong with its request: written into the folder, so that nobody tries it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.gpu.job_dir import JobDir
from sandbox.llm.retry import TRANSIENT_STATUSES

REQUEST_ERRORS = (TypeError, ValueError, KeyError, OSError)


@contextmanager
def report_request_errors(job_dir: JobDir, field: str) -> Iterator[None]:
    """Around what makes something of the request's `field`: its failure is the request's, unless it may pass."""
    try:
        yield
    except REQUEST_ERRORS as error:
        if not is_transient(error):
            job_dir.write_refusal(f"{field}: {type(error).__name__}: {error}", field)
        raise


def is_transient(error: BaseException | None) -> bool:
    """Whether a network, a disk or a hub that has a bad day is behind it.

    transformers turns all of them into plain OSErrors, as it does a model that is nowhere: the cause tells them apart.
    """
    while error is not None:
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, TimeoutError)):
            return True
        if getattr(getattr(error, "response", None), "status_code", None) in TRANSIENT_STATUSES:
            return True
        error = error.__cause__ or error.__context__
    return False
