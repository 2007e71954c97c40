"""The service under load and under faults: nothing lost, nothing wrong, nothing left behind.

These are the quick faults; `python -m tests.chaos` has all of them, and what takes long.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.client import Client, Retries
from tests.chaos.capacity import offer
from tests.chaos.faults import PLAIN, SHORT, Fault
from tests.chaos.ground import GROUNDS, RARE
from tests.chaos.stage import Stage, staged
from tests.chaos.trial import trial
from tests.jobs.waiting import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

LONG = [fault for fault in (*PLAIN, *RARE) if fault not in SHORT]
MOST_QUEUED = 16


@pytest.fixture(scope="module")
def stage(images: dict[str, str]) -> Iterator[Stage]:
    assert images
    with staged(max_queued=str(MOST_QUEUED * 100)) as stage:
        yield stage
        assert stage.stop() == [], "a service that was stopped leaves nothing"


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_a_fault_loses_no_submission_and_leaves_nothing(stage: Stage, fault: Fault) -> None:
    came_to = trial(fault, stage)
    assert came_to.tally.accepted > 20
    assert not came_to.failures, "\n".join([*came_to.failures, stage.tail()])


@pytest.mark.chaos
@pytest.mark.parametrize("fault", LONG, ids=lambda fault: fault.name)
def test_a_rare_fault_loses_no_submission_and_leaves_nothing(
    images: dict[str, str], fault: Fault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert images
    with GROUNDS[fault.needs](tmp_path_factory.mktemp("chaos")) as stage:
        came_to = trial(fault, stage)
        came_to.left += stage.stop()
    assert not came_to.failures, "\n".join(came_to.failures)


def test_a_service_stopped_in_mid_work_finishes_or_hands_back_every_run(images: dict[str, str]) -> None:
    assert images
    with staged() as stage:
        programs = [
            {"language": "python", "code": f"import time; time.sleep(0.4); print({number})"} for number in range(24)
        ]
        with Client(stage.url, retries=Retries(attempts=30)) as client:
            job = client.submit("execute", programs)
            until(lambda: client.job(job.id).status == "running", "it runs")
            assert stage.stop() == []
            stage.start()
            told = client.wait(job.id, 120)
        assert told.result is not None
        assert [(each["status"], each["stdout"]) for each in told.result["results"]] == [
            ("ok", f"{number}\n") for number in range(24)
        ]


def test_at_ten_times_the_capacity_it_stays_live_and_refuses_early(images: dict[str, str]) -> None:
    assert images
    with staged(max_queued=str(MOST_QUEUED)) as stage:
        usual = offer(stage, stage.slots, 2.0)
        told = offer(stage, stage.slots * 20, 4.0)
        memory_mb = max(told.memory_mb) - min(told.memory_mb)
    assert set(usual.answers) == {200}
    assert set(told.answers) == {200, 503}
    assert told.retry_after == {"1"}
    assert max(told.live_in_s) < 2.0
    assert memory_mb < 32
    # What is accepted waits for what may be queued, and no longer.
    capacity = usual.answers[200] / 2.0
    assert told.p95_s < 3 * (MOST_QUEUED + stage.slots * 2) / capacity + 1.0
