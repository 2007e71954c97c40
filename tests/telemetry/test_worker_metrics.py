"""The metrics of a worker."""

from __future__ import annotations

import time
from pathlib import Path

from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import ItemTrace
from sandbox.runner.contract import Verdict
from sandbox.schema import TestPart, TestResult, VerifyRequest, VerifyResult
from sandbox.telemetry.registry import MetricsRegistry
from sandbox.telemetry.worker_metrics import WorkerMetrics
from sandbox.worker.execute import finish_verify


def _count_tests(folder: Path, *tests: TestResult) -> dict[str, float]:
    """Return the number of tests by verdict after one finished program."""
    passed = sum(test.verdict is Verdict.ACCEPTED for test in tests)
    verdict = Verdict.ACCEPTED if passed == len(tests) else Verdict.WRONG_ANSWER
    result = VerifyResult(id="a", verdict=verdict, passed=passed, total=len(tests), score=0.0, tests=list(tests))
    request = VerifyRequest.model_validate({"language": "python", "code": "", "tests": [{"expected": "1"}]})
    trace = ItemTrace(Item(submission="a", submitted_at=0.0, verify=request), "rl", "verify", "python", 1.0)
    trace.result, trace.verdict, trace.passed, trace.total, trace.test_verdicts = finish_verify(result)
    registry = MetricsRegistry(folder, "worker-0")
    WorkerMetrics(registry).record_finished(trace)
    lines = [line for line in registry.render().decode().splitlines() if line.startswith("sandbox_tests_total{")]
    return {line.split('verdict="')[1].split('"')[0]: float(line.split()[-1]) for line in lines}


def test_every_test_counts_once_by_its_verdict(tmp_path: Path) -> None:
    accepted, wrong = TestResult(verdict=Verdict.ACCEPTED), TestResult(verdict=Verdict.WRONG_ANSWER)
    assert _count_tests(tmp_path / "some", accepted, wrong, accepted) == {"accepted": 2.0, "wrong_answer": 1.0}
    assert _count_tests(tmp_path / "all", accepted, accepted) == {"accepted": 2.0}


def test_a_slot_tells_since_when_it_is_in_its_state(tmp_path: Path) -> None:
    registry = MetricsRegistry(tmp_path, "worker-3")
    metrics = WorkerMetrics(registry, slot=3)
    before = time.time()
    for state in ("warming", "idle", "busy", "idle"):
        metrics.set_slot_state(state)
    lines = registry.render().decode().splitlines()
    since = {
        line.split('state="')[1].split('"')[0]: float(line.split()[-1])
        for line in lines
        if line.startswith('sandbox_slot_state_since_timestamp_seconds{slot="3"')
    }
    assert since.pop("idle") >= before
    assert since == {"warming": 0.0, "busy": 0.0}


def test_the_functions_of_a_pytest_file_do_not_count_as_tests(tmp_path: Path) -> None:
    parts = [TestPart(name="test_a", verdict=Verdict.ACCEPTED), TestPart(name="test_b", verdict=Verdict.WRONG_ANSWER)]
    failed = TestResult(verdict=Verdict.WRONG_ANSWER, score=0.5, parts=parts)
    assert _count_tests(tmp_path, failed) == {"wrong_answer": 1.0}
