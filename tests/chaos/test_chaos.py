"""The service under load and faults: no result is lost or wrong, and nothing is left behind.

These are the quick faults. `python -m tests.chaos` runs all of them, including the long ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.client import Client, Retries
from tests.chaos.capacity import run_overload
from tests.chaos.deployment import Deployment, run_deployment
from tests.chaos.environments import ENVIRONMENT_FAULTS, ENVIRONMENTS
from tests.chaos.faults import PLAIN_FAULTS, QUICK_FAULTS, Fault
from tests.chaos.scenario import run_scenario
from tests.queue.submit_and_wait import wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

SLOW_FAULTS = [fault for fault in (*PLAIN_FAULTS, *ENVIRONMENT_FAULTS) if fault not in QUICK_FAULTS]
MAX_QUEUED = 16


@pytest.fixture(scope="module")
def deployment(images: dict[str, str]) -> Iterator[Deployment]:
    assert images
    with run_deployment(max_queued=str(MAX_QUEUED * 100)) as deployment:
        yield deployment
        assert deployment.stop() == [], "a service that was stopped leaves nothing"


@pytest.mark.parametrize("fault", QUICK_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_loses_no_submission_and_leaves_nothing(deployment: Deployment, fault: Fault) -> None:
    result = run_scenario(fault, deployment)
    assert result.tally.accepted > 20
    assert not result.failures, "\n".join([*result.failures, deployment.read_log_tail()])


@pytest.mark.chaos
@pytest.mark.parametrize("fault", SLOW_FAULTS, ids=lambda fault: fault.name)
def test_a_rare_fault_loses_no_submission_and_leaves_nothing(
    images: dict[str, str], fault: Fault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert images
    with ENVIRONMENTS[fault.environment](tmp_path_factory.mktemp("chaos")) as deployment:
        result = run_scenario(fault, deployment)
        result.leftovers += deployment.stop()
    assert not result.failures, "\n".join(result.failures)


def test_a_service_stopped_in_mid_work_finishes_or_hands_back_every_run(images: dict[str, str]) -> None:
    assert images
    with run_deployment() as deployment:
        programs = [
            {"language": "python", "code": f"import time; time.sleep(0.4); print({number})"} for number in range(24)
        ]
        with Client(deployment.url, retries=Retries(attempts=30)) as client:
            job = client.submit("execute", programs)
            wait_until(lambda: client.job(job.id).status == "running", "it runs")
            assert deployment.stop() == []
            deployment.start()
            finished_job = client.wait(job.id, 120)
        assert finished_job.result is not None
        assert [(each["status"], each["stdout"]) for each in finished_job.result["results"]] == [
            ("ok", f"{number}\n") for number in range(24)
        ]


def test_at_ten_times_the_capacity_it_stays_live_and_refuses_early(images: dict[str, str]) -> None:
    assert images
    with run_deployment(max_queued=str(MAX_QUEUED)) as deployment:
        usual = run_overload(deployment, deployment.slots, 2.0)
        overloaded = run_overload(deployment, deployment.slots * 20, 4.0)
        memory_mb = max(overloaded.memory_mb) - min(overloaded.memory_mb)
    assert set(usual.statuses) == {200}
    assert set(overloaded.statuses) == {200, 503}
    assert overloaded.retry_after == {"1"}
    assert max(overloaded.liveness_times_s) < 2.0
    assert memory_mb < 32
    # An accepted request waits at most for what may be queued.
    capacity = usual.statuses[200] / 2.0
    assert overloaded.p95_s < 3 * (MAX_QUEUED + deployment.slots * 2) / capacity + 1.0
