"""Names of models resolve to paths inside the pool's folder, and never outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import BadRequest
from sandbox.gpu.job_dir import resolve_model


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A pool's folder, with a folder outside it that no name may reach."""
    for model_dir in ("pool/jobs/gpu-1/model", "pool/tiny", "pool/qwen2.5:7b", "outside/model", "pool/model"):
        (tmp_path / model_dir).mkdir(parents=True)
    return tmp_path / "pool"


@pytest.mark.parametrize(
    ("model", "place"), [("job:gpu-1", "jobs/gpu-1/model"), ("tiny", "tiny"), ("qwen2.5:7b", "qwen2.5:7b")]
)
def test_a_folder_is_found_by_its_name(pool: Path, model: str, place: str) -> None:
    assert resolve_model(model, pool) == str(pool / place)


def test_a_name_of_the_hub_stays_as_it_is(pool: Path) -> None:
    assert resolve_model("Qwen/Qwen3-0.6B", pool) == "Qwen/Qwen3-0.6B"


@pytest.mark.parametrize(
    "model",
    [
        "../outside/model",
        "tiny/../../outside",
        "/etc",
        "job:../../outside",
        "job:..",
        "job:gpu-1/../../../outside",
        "job:/etc",
        "job:",
        "llama3:8b",
        "@cf/meta",
        "job:none",
    ],
)
def test_no_other_name_leads_anywhere(pool: Path, model: str) -> None:
    with pytest.raises(BadRequest):
        resolve_model(model, pool)
