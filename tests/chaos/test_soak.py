"""The soak test recognizes growth."""

from __future__ import annotations

import pytest

from tests.chaos.soak import DESCRIPTORS_PER_BOX, Sample, find_growth


def build_samples(**late: float) -> list[Sample]:
    """Build thirty samples; the last ten have more of the named resources, each by its number."""
    usual = {
        "memory_mb": 340.0,
        "descriptors": 147.0,
        "containers": 2.0,
        "processes": 6.0,
        "redis_keys": 1_100.0,
        "redis_mb": 3.0,
    }
    after = {name: usual[name] + more for name, more in late.items()}
    return [Sample(60.0 * n, 2_000 * n, **(usual | (after if n > 20 else {}))) for n in range(1, 31)]


def test_a_service_that_stays_as_it_is_has_not_grown() -> None:
    assert find_growth(build_samples()) == []
    assert find_growth(build_samples(memory_mb=8.0, redis_keys=90.0)) == []


def test_a_spare_box_with_its_descriptors_is_no_growth() -> None:
    assert find_growth(build_samples(containers=2.0, descriptors=2.0 * DESCRIPTORS_PER_BOX)) == []


@pytest.mark.parametrize(
    ("what", "more"), [("memory_mb", 50.0), ("descriptors", 25.0), ("containers", 5.0), ("redis_keys", 300.0)]
)
def test_more_of_anything_is(what: str, more: float) -> None:
    (grown,) = [one for one in find_growth(build_samples(**{what: more})) if one.startswith(what)]
    assert "grew from" in grown
