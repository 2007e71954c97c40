"""Hooks that hold every run of a test to its timeout.

pytest-timeout starts a test's timer once. The first failure stops it, so a teardown after a failure, and a second run
by pytest-rerunfailures, had no limit at all. It also interrupts once: where the interruption is lost, for example in
an asyncio task that nobody waits for, the test hangs nevertheless.
"""

from __future__ import annotations

import signal
from typing import Any

import pytest

REPEAT_S = 20.0
_settings = pytest.StashKey[Any]()


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Any:
    """Let a test's timer interrupt again and again until it is stopped."""
    item.stash[_settings] = settings
    answer = yield
    remaining_s, _ = signal.getitimer(signal.ITIMER_REAL)
    if remaining_s > 0:
        signal.setitimer(signal.ITIMER_REAL, remaining_s, min(REPEAT_S, settings.timeout))
    return answer


def _restart(item: pytest.Item) -> None:
    settings = item.stash.get(_settings, None)
    if settings is not None:
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the timer anew for each run of the test."""
    _restart(item)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: object) -> None:
    """Start the timer again after a failure has stopped it, for what follows: the teardown."""
    if isinstance(node, pytest.Item) and not node.config.option.usepdb:
        _restart(node)
