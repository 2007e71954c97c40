"""vLLM's own API server, in its CPU build, as a worker's engine: `pytest -m vllm tests/gpu`.

`SANDBOX_TEST_VLLM` is an interpreter with vLLM (the guide's page on the GPU pool explains how to build one), and
`SANDBOX_TEST_MODEL` the folder of a small chat model.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sandbox.schema import JobStatus
from tests.conftest import skip_or_fail
from tests.gpu.conftest import GpuHost

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]

OPTIONS = "--dtype bfloat16 --max-model-len 512 --enforce-eager --max-num-batched-tokens 4096"


def test_a_model_is_served_asked_and_judged(host: GpuHost) -> None:
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
    request = {
        "model": "small",
        "messages": [[{"role": "user", "content": "Write a Python program that prints 1."}]] * 4,
        "sampling": {"n": 2, "max_tokens": 24},
        "verify": {"tests": [[{"stdin": "", "expected": "1\n"}]]},
    }
    job = host.wait_until_ended(host.client.start("generate", request).id, 800)
    assert job.status is JobStatus.FINISHED, (job.error, host.read_log())
    assert job.result is not None
    assert (job.result["completions"], job.result["verdicts"], job.result["lost_verdicts"]) == (8, 8, 0)
    assert 0 < job.result["tokens"] <= 8 * 24
