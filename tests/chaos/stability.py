"""The corpus gets the same verdicts on a quiet machine and on one with eight busy processes per core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.client import Client
from tests.chaos.deployment import Deployment
from tests.test_corpus import PROBLEMS
from tests.test_corpus import _build_requests as requests_of

OVERLOAD_FACTOR = 8
TIMEOUT_S = 3_000.0


def collect_verdicts(deployment: Deployment, problems: Sequence[str] = PROBLEMS) -> dict[str, str]:
    """Return the verdict of every program and of each of its tests."""
    requests = {f"{problem}/{name}": request for problem in problems for name, request in requests_of(problem).items()}
    with Client(deployment.url, timeout_s=TIMEOUT_S) as client:
        results = client.verify_stream(list(requests.values()))
        verdicts = {
            index: ",".join([result.verdict, *(test.verdict for test in result.tests)]) for index, result in results
        }
    return {name: verdicts[index] for index, name in enumerate(requests)}


def list_changes(quiet: Mapping[str, str], busy: Mapping[str, str]) -> list[str]:
    return [f"{name}: {quiet[name]} -> {busy[name]}" for name in quiet if busy[name] != quiet[name]]
