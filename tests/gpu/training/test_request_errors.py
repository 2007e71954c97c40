"""Errors of the request are final; other errors may be transient, and the job is retried."""

from __future__ import annotations

import errno
from pathlib import Path

import httpx
import pytest

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.request_errors import report_request_errors


def _raise_inside(job_dir: JobDir, error: Exception, cause: Exception | None = None) -> None:
    with pytest.raises(type(error)), report_request_errors(job_dir, "model"):
        raise error from cause


def _build_hub_error(status: int) -> Exception:
    request = httpx.Request("GET", "http://hub")
    return httpx.HTTPStatusError("hub", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TypeError("unexpected keyword argument 'x'"), None),
        (ValueError("unrecognized model"), None),
        (OSError("m is not a valid model identifier"), _build_hub_error(404)),
        (OSError("you are trying to access a gated repo"), _build_hub_error(403)),
    ],
)
def test_what_is_wrong_with_the_request_is_kept_with_its_field(
    tmp_path: Path, error: Exception, cause: Exception | None
) -> None:
    job_dir = JobDir(tmp_path)
    _raise_inside(job_dir, error, cause)
    refusal = job_dir.read_refusal()
    assert refusal is not None
    assert (refusal.field, str(refusal)) == ("model", f"model: {type(error).__name__}: {error}")
    job_dir.clear_refusal()
    assert job_dir.read_refusal() is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError("could not connect to the hub"), OSError(-2, "name or service not known")),
        (OSError("could not connect to the hub"), TimeoutError("timed out")),
        (OSError("could not connect to the hub"), _build_hub_error(503)),
        (OSError("could not connect to the hub"), _build_hub_error(429)),
        (OSError(errno.ENOSPC, "no space left on device"), None),
        (RuntimeError("CUDA out of memory"), None),
    ],
)
def test_what_may_pass_is_tried_again(tmp_path: Path, error: Exception, cause: Exception | None) -> None:
    job_dir = JobDir(tmp_path)
    _raise_inside(job_dir, error, cause)
    assert job_dir.read_refusal() is None
