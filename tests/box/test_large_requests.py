"""A valid request never costs a box, however large it is, and even if its files cannot be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from sandbox import languages
from sandbox.box.box import Box
from sandbox.runner import frames
from sandbox.runner.contract import Limits, Outcome, Run, Status

EMOJI = "\N{GRINNING FACE}"
SHOW = "import sys\nprint(len(sys.argv), sum(map(len, sys.argv[1:])), sys.argv[-1][-1])"


@pytest.fixture
def reusable_box(box: Box) -> Iterator[Box]:
    """Yield a box that must be the same one after the test: `box` then runs one more program in it."""
    box.load(languages.get_language("python").build_program(SHOW))
    yield box
    box.load(languages.get_language("python").build_program("print(1)"))
    assert box.run(Run()).stdout == b"1\n"


def _run(box: Box, files: Mapping[str, bytes], **limits: int) -> Outcome:
    return box.run(Run(args=("x",), files=files, limits=Limits(**{"memory_mb": 256, **limits})))


def test_arguments_of_64_kib_arrive(reusable_box: Box) -> None:
    assert reusable_box.run(Run(args=(EMOJI * 16_384,))).stdout == f"2 16384 {EMOJI}\n".encode()
    assert reusable_box.run(Run(args=(*["x" * 64] * 255, EMOJI * 64))).stdout == f"257 16384 {EMOJI}\n".encode()


def test_a_command_of_a_megabyte_and_more_runs(reusable_box: Box) -> None:
    command = ("python3", "-c", "import sys; print(sum(map(len, sys.argv[1:])))")
    for letter in ("x", EMOJI):
        assert reusable_box.run(Run(command=(*command, *[letter * 16_384] * 61))).stdout == b"999424\n"


def test_a_command_that_the_kernel_rejects_is_the_tests_mistake(reusable_box: Box) -> None:
    outcome = reusable_box.run(Run(command=("true", *["x" * (1 << 17)] * 63)))
    assert (outcome.status, outcome.exit_code) == (Status.INTERNAL_ERROR, None)
    assert "Argument list too long" in outcome.message


def test_a_header_that_cannot_be_sent_costs_no_box(reusable_box: Box) -> None:
    outcome = reusable_box.run(Run(args=("x" * frames.MAX_HEADER_BYTES,)))
    assert outcome.status is Status.INTERNAL_ERROR
    assert "too large for a box" in outcome.message


@pytest.mark.parametrize("name", ["ü" * 200, "main.py/x", "folder/below/" + "x" * 256, "a/b", "folder"])
def test_files_that_cannot_be_laid_out_cost_no_box(reusable_box: Box, name: str) -> None:
    outcome = _run(reusable_box, {"folder/below/it": b"", "a": b"", name: b"1"})
    assert outcome.status is Status.INTERNAL_ERROR
    assert outcome.message.startswith(f"files: {name!r}: ")


def test_files_that_fill_the_boxs_disk_cost_no_box(reusable_box: Box) -> None:
    outcome = _run(reusable_box, {f"{number}": bytes(64 << 20) for number in range(9)}, memory_mb=1_024)
    assert outcome.status is Status.INTERNAL_ERROR
    assert outcome.message.endswith(": No space left on device")


def test_files_larger_than_the_memory_are_the_memory_limit(reusable_box: Box) -> None:
    assert _run(reusable_box, {"large": bytes(65 << 20)}, memory_mb=64).status is Status.MEMORY_LIMIT_EXCEEDED
    assert _run(reusable_box, {"large": bytes(24 << 20)}, memory_mb=64).stdout == b"2 1 x\n"
