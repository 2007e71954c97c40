"""A measurement that needs sessions says so before it begins."""

from __future__ import annotations

import pytest

from loadtest.session_hosts import require_session_host
from sandbox.schema.health import Readiness


def test_without_a_session_host_a_measurement_ends_with_what_to_do() -> None:
    with pytest.raises(SystemExit, match=r"http://here has no session host.*SANDBOX_SESSIONS.*SANDBOX_ENGINE=local"):
        require_session_host(Readiness(ready=True, workers=14), "http://here")


def test_one_session_host_is_enough() -> None:
    assert require_session_host(Readiness(ready=False, workers=0, session_hosts=1), "http://here") == 1
