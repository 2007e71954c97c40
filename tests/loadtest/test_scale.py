"""Efficiency by slots and by pinning is computed from given samples."""

from __future__ import annotations

import argparse

import pytest

from loadtest.arguments import parse_pins
from loadtest.sample import Sample
from loadtest.scale import PLAIN_LOOPS, build_points


def make_sample(rate: int) -> Sample:
    return Sample(verdicts=rate, elapsed_s=1.0, cpu_s={"api": 0.5})


def test_every_pinning_is_compared_with_the_fewest_slots_of_the_first() -> None:
    steps = build_points(
        {
            (PLAIN_LOOPS, 1, "none"): [make_sample(10)],
            (PLAIN_LOOPS, 4, "none"): [make_sample(32)],
            ("W1 single", 1, "none"): [make_sample(100), make_sample(120), make_sample(80)],
            ("W1 single", 4, "slots"): [make_sample(360)],
            ("W1 single", 4, "none"): [make_sample(320)],
        }
    )
    found = [(step.workload, step.slots, step.pin, step.efficiency, round(step.of_processor, 3)) for step in steps]
    assert found == [
        (PLAIN_LOOPS, 1, "none", 1.0, 1.0),
        (PLAIN_LOOPS, 4, "none", 0.8, 1.0),
        ("W1 single", 1, "none", 1.0, 1.0),
        ("W1 single", 4, "none", 0.8, 1.0),
        ("W1 single", 4, "slots", 0.9, 1.125),
    ]


def test_pinnings_are_named_in_their_order_and_a_wrong_name_is_told() -> None:
    assert parse_pins("slots,none,slots") == ["slots", "none"]
    with pytest.raises(argparse.ArgumentTypeError, match="'cores' is not one of auto, none, boxes, slots"):
        parse_pins("none,cores")
