"""vLLM's own API server, in its CPU build, as a worker's engine: `pytest -m vllm tests/gpu`.

`SANDBOX_TEST_VLLM` is an interpreter with vLLM (the guide's page on the GPU pool explains how to build one), and
`SANDBOX_TEST_MODEL` the folder of a small chat model.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sandbox.schema import JobStatus
from tests.conftest import skip_or_fail
from tests.gpu.conftest import GpuHost

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]

OPTIONS = "--dtype bfloat16 --max-model-len 512 --enforce-eager --max-num-batched-tokens 4096"


@pytest.fixture
def vllm(host: GpuHost) -> GpuHost:
    """A host with a worker that serves a real model."""
    python, model = os.environ.get("SANDBOX_TEST_VLLM", ""), os.environ.get("SANDBOX_TEST_MODEL", "")
    if not python or not Path(model).is_dir():
        skip_or_fail(
            "SANDBOX_TEST_VLLM and SANDBOX_TEST_MODEL must be an interpreter with vLLM and the folder of a model"
        )
    (host.directory / "pool").mkdir()
    shutil.copytree(model, host.directory / "pool" / "small")
    host.start_worker(
        SANDBOX_GPU_PYTHON=python,
        SANDBOX_LLM_MODULE="vllm.entrypoints.openai.api_server",
        SANDBOX_LLM_OPTIONS=OPTIONS,
        SANDBOX_LLM_START_PATIENCE_S="600",
        VLLM_CPU_KVCACHE_SPACE="1",
        HF_HUB_OFFLINE="1",
    )
    return host


def _run(host: GpuHost, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    job = host.wait_until_ended(host.client.start(kind, request).id, 800)
    log = host.directory / "pool" / "jobs" / job.id / "log.txt"
    assert job.status is JobStatus.FINISHED, (job.error, log.exists() and log.read_text()[-4_000:], host.read_log())
    assert job.result is not None
    return job.result


def test_a_model_is_served_asked_and_judged(vllm: GpuHost) -> None:
    request = {
        "model": "small",
        "messages": [[{"role": "user", "content": "Write a Python program that prints 1."}]] * 4,
        "sampling": {"n": 2, "max_tokens": 24},
        "verify": {"tests": [[{"stdin": "", "expected": "1\n"}]]},
    }
    result = _run(vllm, "generate", request)
    assert (result["completions"], result["verdicts"], result["lost_verdicts"]) == (8, 8, 0)
    assert 0 < result["tokens"] <= 8 * 24


def test_grpo_generates_with_the_warm_server_which_then_serves_the_trained_model(vllm: GpuHost) -> None:
    """The server starts once. `SANDBOX_TEST_VLLM` must also have TRL."""
    tasks = [{"prompt": f"Print {number}.", "tests": [{"stdin": "", "expected": f"{number}\n"}]} for number in (1, 2)]
    generate = {"prompts": ["def add(a, b):"], "sampling": {"temperature": 0, "max_tokens": 8}}
    first = _run(vllm, "generate", {"model": "small", **generate})
    trained = _run(
        vllm,
        "train_grpo",
        {
            "model": "small",
            "tasks": tasks,
            "rollouts": "engine",
            **{"steps": 2, "num_generations": 2, "prompts_per_step": 2, "max_tokens": 16, "learning_rate": 1e-5},
        },
    )
    after = _run(vllm, "generate", {"model": trained["model"], **generate})
    phases = [phase["phase"] for result in (first, trained, after) for phase in result["engine"]]
    assert phases == ["start", "load"]  # the first model was loaded already when GRPO began
    assert after["served_by"] == first["served_by"]
    assert trained["start"]["took_s"] > 0
    assert trained["timing"]["early_share"] <= trained["timing"]["early_asked_share"] == 1.0
    assert not list(Path("/dev/shm").glob("sandbox-weights-*"))
