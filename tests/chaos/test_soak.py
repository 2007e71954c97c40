"""What a soak takes for growth."""

from __future__ import annotations

import pytest

from tests.chaos.soak import DESCRIPTORS_OF_A_BOX, Look, growth


def looks(**late: float) -> list[Look]:
    """Thirty looks; the last ten have more of what is named, each by its number."""
    usual = {
        "memory_mb": 340.0,
        "descriptors": 147.0,
        "containers": 2.0,
        "processes": 6.0,
        "redis_keys": 1_100.0,
        "redis_mb": 3.0,
    }
    after = {name: usual[name] + more for name, more in late.items()}
    return [Look(60.0 * n, 2_000 * n, **(usual | (after if n > 20 else {}))) for n in range(1, 31)]


def test_a_service_that_stays_as_it_is_has_not_grown() -> None:
    assert growth(looks()) == []
    assert growth(looks(memory_mb=8.0, redis_keys=90.0)) == []


def test_a_spare_box_with_its_descriptors_is_no_growth() -> None:
    assert growth(looks(containers=2.0, descriptors=2.0 * DESCRIPTORS_OF_A_BOX)) == []


@pytest.mark.parametrize(
    ("what", "more"), [("memory_mb", 50.0), ("descriptors", 25.0), ("containers", 5.0), ("redis_keys", 300.0)]
)
def test_more_of_anything_is(what: str, more: float) -> None:
    (grown,) = [one for one in growth(looks(**{what: more})) if one.startswith(what)]
    assert "grew from" in grown
