"""A reward function waits for an absent service, and stops a training that gets no rewards."""

from __future__ import annotations

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.trainers.outage import OutagePolicy, OutageTracker, ServiceLost, probe_service

URL = "http://127.0.0.1:9"
CONNECTION_REFUSED = InfrastructureError("connection refused")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_waits_ever_longer_and_then_raises_with_the_url() -> None:
    clock = Clock()
    patience = OutageTracker(OutagePolicy(patience_s=60.0), URL, clock).start_batch()
    pauses: list[float] = []

    def wait() -> None:
        while (pause := patience.compute_pause_s(CONNECTION_REFUSED)) is not None:
            pauses.append(pause)
            clock.now += pause

    with pytest.raises(ServiceLost, match=rf"{URL} gave no verdicts for 60 s: connection refused"):
        wait()
    assert clock.now == pytest.approx(60.0)
    assert max(pauses[:2]) <= 1.0 < max(pauses) <= 10.0


def test_an_answer_renews_its_patience() -> None:
    clock = Clock()
    patience = OutageTracker(OutagePolicy(patience_s=10.0), URL, clock).start_batch()
    for _ in range(5):
        assert patience.compute_pause_s(CONNECTION_REFUSED) is not None
        clock.now += 8.0
        patience.record_answer()


def test_it_says_once_in_a_while_that_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    patience = OutageTracker(OutagePolicy(), URL, clock).start_batch()
    for _ in range(100):
        patience.compute_pause_s(CONNECTION_REFUSED)
        clock.now += 1.0
    patience.record_answer()
    words = [record.getMessage() for record in caplog.records]
    assert len(words) == 5
    assert words[-1] == f"the service at {URL} answers again after 100 s"


def test_without_waiting_it_gives_up_a_batch_at_once() -> None:
    assert OutageTracker(OutagePolicy(on_outage="none"), URL).start_batch().compute_pause_s(CONNECTION_REFUSED) is None


def test_batches_without_one_reward_raise_when_they_are_too_many_in_a_row() -> None:
    outages = OutageTracker(OutagePolicy(most_lost_batches=2), URL)
    for rewards in ([None, None], [None, 0.0], [], [None]):
        outages.record_rewards(rewards)
    with pytest.raises(ServiceLost, match="2 batches in a row got no reward"):
        outages.record_rewards([None])
    endless = OutageTracker(OutagePolicy(most_lost_batches=0), URL)
    for _ in range(100):
        endless.record_rewards([None])


def test_options_are_told_apart_and_checked() -> None:
    policy, rest = OutagePolicy.split_options({"patience_s": 5, "policy": "binary"})
    assert (policy, rest) == (OutagePolicy(patience_s=5), {"policy": "binary"})
    with pytest.raises(BadRequest, match="on_outage is 'stop'"):
        OutagePolicy.split_options({"on_outage": "stop"})
    with pytest.raises(BadRequest, match="must not be negative"):
        OutagePolicy.split_options({"patience_s": -1})


@pytest.mark.parametrize("url", [URL, "http://[", "nowhere"])
def test_a_service_that_is_not_there_is_named(url: str) -> None:
    with pytest.raises(InfrastructureError, match="no sandbox service answers at"):
        probe_service(url)
