"""Whose fault a training's end was: the request's, which is final, or somebody's who may be well again."""

from __future__ import annotations

import errno
from pathlib import Path

import httpx
import pytest

from sandbox.gpu.folder import JobFolder
from sandbox.gpu.mistakes import asked_for


def _raised(folder: JobFolder, error: Exception, cause: Exception | None = None) -> None:
    with pytest.raises(type(error)), asked_for(folder, "model"):
        raise error from cause


def _hub(status: int) -> Exception:
    request = httpx.Request("GET", "http://hub")
    return httpx.HTTPStatusError("hub", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TypeError("unexpected keyword argument 'x'"), None),
        (ValueError("unrecognized model"), None),
        (OSError("m is not a valid model identifier"), _hub(404)),
        (OSError("you are trying to access a gated repo"), _hub(403)),
    ],
)
def test_what_is_wrong_with_the_request_is_kept_with_its_field(
    tmp_path: Path, error: Exception, cause: Exception | None
) -> None:
    folder = JobFolder(tmp_path)
    _raised(folder, error, cause)
    refusal = folder.refusal()
    assert refusal is not None
    assert (refusal.field, str(refusal)) == ("model", f"model: {type(error).__name__}: {error}")
    folder.forget_refusal()
    assert folder.refusal() is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError("could not connect to the hub"), OSError(-2, "name or service not known")),
        (OSError("could not connect to the hub"), TimeoutError("timed out")),
        (OSError("could not connect to the hub"), _hub(503)),
        (OSError("could not connect to the hub"), _hub(429)),
        (OSError(errno.ENOSPC, "no space left on device"), None),
        (RuntimeError("CUDA out of memory"), None),
    ],
)
def test_what_may_pass_is_tried_again(tmp_path: Path, error: Exception, cause: Exception | None) -> None:
    folder = JobFolder(tmp_path)
    _raised(folder, error, cause)
    assert folder.refusal() is None
