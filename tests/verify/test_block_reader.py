"""Reading outputs block by block gives the same verdicts, and canonical forms are equal if outputs agree."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.verify.checkers import CANONICALIZERS, RULES, block_reader, canonicalize, check, size_limits
from tests.verify.test_checkers import JSON_TEXTS, OUTPUTS

OFTEN = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
JUDGED = sorted(set(RULES) - {"regex"})
BLOCKS = [1, 3, 7]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw two outputs that are often nearly the same."""
    words = st.sampled_from(
        [b"1", b"1.0", b"a", b"A", b"nan", b"10", b"77777777777", b"\xc2\xa0", b"x\vy", b"-0", b"[1]"]
    )
    gaps = st.sampled_from([b" ", b"\n", b"\n\n", b" \n", b"\r\n", b"\f", b"\t", b""])
    parts = draw(st.lists(st.tuples(words, gaps), max_size=12))
    other = [
        (draw(words) if draw(st.integers(0, 9)) == 0 else word, draw(gaps) if draw(st.integers(0, 4)) == 0 else gap)
        for word, gap in parts
    ]
    if draw(st.integers(0, 3)) == 0:
        other = draw(st.permutations(other))
    return b"".join(map(b"".join, parts)), b"".join(map(b"".join, other))


PAIRS = st.one_of(pairs(), st.tuples(OUTPUTS, OUTPUTS), st.tuples(JSON_TEXTS, JSON_TEXTS))


@pytest.mark.parametrize("kind", JUDGED)
@OFTEN
@given(pair=PAIRS, block=st.sampled_from(BLOCKS))
def test_reading_in_blocks_decides_as_reading_at_once(
    kind: str, pair: tuple[bytes, bytes], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = check(kind, *pair)
    with monkeypatch.context() as patch:
        patch.setattr(block_reader, "BLOCK_BYTES", block)
        patch.setattr(block_reader, "COUNTED_BYTES", block)
        in_blocks = check(kind, *pair)
    assert in_blocks.accepted == at_once.accepted
    assert not in_blocks.failed


@OFTEN
@given(output=OUTPUTS, block=st.sampled_from(BLOCKS), start=st.integers(0, 5))
def test_blocks_hold_the_pieces_of_the_whole(
    output: bytes, block: int, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(block_reader, "BLOCK_BYTES", block)
        assert list(block_reader.iter_tokens(output, start)) == output[start:].split()
        assert list(block_reader.iter_lines(output, b"\n", start)) == output[start:].split(b"\n")


@pytest.mark.parametrize("kind", sorted(CANONICALIZERS))
@OFTEN
@given(pair=PAIRS)
def test_forms_are_equal_exactly_where_outputs_agree(kind: str, pair: tuple[bytes, bytes]) -> None:
    assert (canonicalize(kind, pair[0]) == canonicalize(kind, pair[1])) == check(kind, *pair).accepted


@pytest.mark.parametrize(("kind", "options"), [("float", {}), ("apps", {}), ("json", {"absolute": 0.1})])
def test_a_rule_with_a_tolerance_has_no_form(kind: str, options: dict[str, float]) -> None:
    assert canonicalize(kind, b"1", **options) is None


@pytest.mark.parametrize("kind", JUDGED)
def test_an_output_that_is_very_much_longer_than_what_is_expected_is_wrong_without_being_read(kind: str) -> None:
    output = b"1" + b" " * (size_limits.LENGTH_FREE_BYTES + 3 * size_limits.LENGTH_FACTOR)
    checked = check(kind, output, b"1")
    assert (checked.accepted, checked.failed, checked.message) == (False, False, size_limits.TOO_LONG_MESSAGE)


@pytest.mark.parametrize(
    ("kind", "output", "expected"),
    [
        ("json", b"[" + b"1," * 5_000 + b"1]", b"[1,2]"),
        ("humaneval", b"[" + b"1," * 5_000 + b"1]", b"[1,2]"),
        ("apps", b"1\n" * 5_000 + b"1", b"1\n2"),
    ],
)
def test_an_output_with_far_more_parts_than_what_is_expected_is_not_parsed(
    kind: str, output: bytes, expected: bytes
) -> None:
    checked = check(kind, output, expected)
    assert (checked.accepted, checked.failed, checked.message) == (False, False, size_limits.TOO_MANY_MESSAGE)


@pytest.mark.parametrize(
    ("kind", "item"), [("json", b"1,"), ("humaneval", b"1,"), ("apps", b"1\n")], ids=["json", "humaneval", "apps"]
)
def test_an_expected_output_that_is_too_large_fails_the_checker(
    kind: str, item: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limits, "MAX_DELIMITERS", 100)
    checked = check(kind, b"[" + item * 200 + b"2]", b"[" + item * 200 + b"1]")
    assert (checked.accepted, checked.failed) == (False, True)
    assert "the expected output has more than" in checked.message
    assert check(kind, b"[" + item * 50 + b"1 ]", b"[" + item * 50 + b"1 ]").accepted
    assert not check(kind, b"[" + item * 900 + b"1]", b"[" + item * 50 + b"1]").failed


def test_a_value_may_be_spelled_far_longer_than_it_is_expected() -> None:
    assert check("json", b"[\n" + b" " * 900 + b"1.000000000000000000,\n2]", b"[1,2]").accepted
    assert check("json", b'["\\u0061\\u0062\\u0063"]', b'["abc"]').accepted
    assert check("humaneval", b"((((([[((1))]])))))", b"[[1]]").accepted
    assert check("apps", b"7\n" * 100, b"7\n").accepted
    assert check("apps", b"         7" * 5_000, b"7 " * 4_000).accepted
