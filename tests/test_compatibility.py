"""Names that other versions, Redis, Docker or users rely on, and that a rename of the code must not change."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.queue import gpu_jobs, redis_keys

KEYS = """
bucket cancellations cancelled claims depth envelope environment environments forwarded gpu history idempotency job
kept mail offer offers outstanding parked passes queued readers reaper recent results reward rewards ring run runs
senders session sessions starting taskset verdicts webhook webhooks worker workers
"""
REDIS_KEYS = Path(redis_keys.__file__).read_text(encoding="utf-8")


def test_boxes_of_an_earlier_version_are_found_by_their_label() -> None:
    assert HOME_LABEL == "sandbox.home"


def test_redis_can_name_the_function_of_a_gpu_job() -> None:
    assert gpu_jobs.RQ_FUNCTION == "sandbox.gpu.tasks.perform"
    module, _, name = gpu_jobs.RQ_FUNCTION.rpartition(".")
    assert callable(getattr(import_module(module), name))


def test_redis_keys_keep_their_names() -> None:
    names = set(re.findall(r"\bsandbox:([a-z-]+)", REDIS_KEYS))
    assert names == set(KEYS.split())
