"""One trace shows a submission's complete path. Without a collector, OpenTelemetry is not even imported."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time

import httpx
import pytest

from sandbox.config import ApiSettings
from sandbox.errors import BadRequest
from sandbox.telemetry.tracing_setup import configure_tracing
from tests.monitoring.conftest import ObservedService

TWO_TESTS = [{"stdin": "1", "expected": "1"}, {"stdin": "2", "expected": "2"}]
ECHO = {"language": "python", "code": "print(input())", "tests": TWO_TESTS, "priority": "rl"}


def test_one_trace_shows_the_request_the_queue_the_box_and_the_judge(observed: ObservedService) -> None:
    trace, ours = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace}-{ours}-01", "X-Request-ID": "traced-1"}
    result = httpx.post(f"{observed.url}/verify", json=ECHO, headers=headers, timeout=60, trust_env=False).json()
    spans = observed.collector.wait_for_trace(
        trace, lambda found: {"POST /verify", "verify"} <= {span.name for span in found}
    )
    request = next(span for span in spans if span.name == "POST /verify")
    item = next(span for span in spans if span.name == "verify")
    queue = next(span for span in spans if span.name == "queue")
    inside = [span for span in spans if span.parent_id == item.span_id]

    assert (request.service, request.parent_id, request.attributes["sandbox.request"]) == (
        "sandbox-api",
        ours,
        "traced-1",
    )
    assert (queue.parent_id, item.parent_id) == (request.span_id, request.span_id)
    assert [span.name for span in inside] == ["box", "box run", "judge", "box run", "judge"]
    assert {span.service for span in (queue, item, *inside)} == {"sandbox-worker"}
    assert request.started_ns <= queue.started_ns <= queue.ended_ns <= item.started_ns <= item.ended_ns
    assert all(item.started_ns <= span.started_ns <= span.ended_ns <= item.ended_ns + 1_000 for span in inside)
    expected = {"sandbox.submission": result["id"], "sandbox.request": "traced-1", "sandbox.verdict": "accepted"}
    assert item.attributes.items() >= expected.items()


def test_compiling_is_a_span_of_its_own(observed: ObservedService) -> None:
    trace = secrets.token_hex(16)
    program = {"language": "c", "code": "int main() { return 0; }"}
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    httpx.post(f"{observed.url}/execute", json=program, headers=headers, timeout=60, trust_env=False)
    spans = observed.collector.wait_for_trace(trace, lambda found: "execute" in {span.name for span in found})
    assert {"box", "box compile", "box run"} <= {span.name for span in spans}


def test_a_trace_that_its_client_does_not_record_is_not_recorded_here(observed: ObservedService) -> None:
    unwanted, wanted = secrets.token_hex(16), secrets.token_hex(16)
    for trace, flag in ((unwanted, "00"), (wanted, "01")):
        headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-{flag}"}
        httpx.post(f"{observed.url}/verify", json=ECHO, headers=headers, timeout=60, trust_env=False)
    observed.collector.wait_for_trace(wanted, lambda found: len(found) > 3)
    time.sleep(0.5)
    assert observed.collector.wait_for_trace(unwanted, lambda found: True) == []


def test_nothing_is_imported_for_traces_without_a_collector() -> None:
    """redis-py imports OpenTelemetry's metrics by itself if they are installed; that does not count."""
    code = """
import sys
from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.worker import worker
create_app(ApiSettings(home="/tmp"))
print("sandbox.worker.worker" in sys.modules)
print("sandbox.telemetry.tracing" in sys.modules)
print([name for name in sys.modules if name.startswith("opentelemetry.exporter")])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["True", "False", "[]"]


def test_a_collector_without_the_packages_is_a_mistake_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sandbox.telemetry.tracing", None)
    with pytest.raises(BadRequest, match=r"pip install '\.\[otel\]'"):
        configure_tracing(ApiSettings(otlp_endpoint="http://127.0.0.1:4318"), "api")
