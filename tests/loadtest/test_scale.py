"""Efficiency by slots and by pinning, from samples that are given."""

from __future__ import annotations

import argparse

import pytest

from loadtest.__main__ import pins
from loadtest.sample import Sample
from loadtest.scale import PLAIN, steps_of


def per_second(rate: int) -> Sample:
    return Sample(verdicts=rate, elapsed_s=1.0, cpu_s={"api": 0.5})


def test_every_pinning_is_compared_with_the_fewest_slots_of_the_first() -> None:
    steps = steps_of(
        {
            (PLAIN, 1, "none"): [per_second(10)],
            (PLAIN, 4, "none"): [per_second(32)],
            ("W1 single", 1, "none"): [per_second(100), per_second(120), per_second(80)],
            ("W1 single", 4, "slots"): [per_second(360)],
            ("W1 single", 4, "none"): [per_second(320)],
        }
    )
    found = [(step.workload, step.slots, step.pin, step.efficiency, round(step.of_processor, 3)) for step in steps]
    assert found == [
        (PLAIN, 1, "none", 1.0, 1.0),
        (PLAIN, 4, "none", 0.8, 1.0),
        ("W1 single", 1, "none", 1.0, 1.0),
        ("W1 single", 4, "none", 0.8, 1.0),
        ("W1 single", 4, "slots", 0.9, 1.125),
    ]


def test_pinnings_are_named_in_their_order_and_a_wrong_name_is_told() -> None:
    assert pins("slots,none,slots") == ["slots", "none"]
    with pytest.raises(argparse.ArgumentTypeError, match="'cores' is not one of none, boxes, slots"):
        pins("none,cores")
