"""Compare each preset with a second, simple implementation of its rule, on outputs where graders may disagree."""

from __future__ import annotations

import ast
import math
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sandbox.verify.checkers import check

MANY = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))

NUMBERS = [
    "0",
    "-0",
    "1",
    "1.0",
    "01",
    "1e0",
    "10e-1",
    "1.000001",
    "1.0004",
    "0.9996",
    "2",
    "2.0",
    "1_0",
    "10",
    "nan",
    "inf",
]
WORDS = ["yes", "Yes", "no", "a,b", "x"]
TOKENS = st.sampled_from(NUMBERS + WORDS)
GAPS = st.sampled_from([" ", "  ", "\t", "\n", "\n\n", " \n", "\r\n", "\f", "\u00a0", ""])
TEXTS = st.lists(st.tuples(TOKENS, GAPS), max_size=6).map(lambda parts: "".join(token + gap for token, gap in parts))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Draw two texts that are often nearly the same: the second has some tokens and gaps rewritten."""
    parts = draw(st.lists(st.tuples(TOKENS, GAPS), max_size=5))
    other = [
        (draw(TOKENS) if draw(st.integers(0, 4)) == 0 else token, draw(GAPS) if draw(st.integers(0, 3)) == 0 else gap)
        for token, gap in parts
    ]
    if draw(st.booleans()):
        other = draw(st.permutations(other))
    return "".join(map("".join, parts)), "".join(map("".join, other))


def is_accepted(kind: str, pair: tuple[str, str]) -> bool:
    return check(kind, pair[0].encode(), pair[1].encode()).accepted


@MANY
@given(pair=pairs())
def test_code_judge_compares_stripped_texts(pair: tuple[str, str]) -> None:
    assert is_accepted("code-judge", pair) == (pair[0].strip() == pair[1].strip())


@MANY
@given(pair=pairs())
def test_sandbox_fusion_compares_lines_in_any_case_and_lines_that_are_a_number(pair: tuple[str, str]) -> None:
    def is_near(one: str, other: str) -> bool:
        try:
            return abs(float(one) - float(other)) / max(abs(float(other)), 1e-10) < 1e-5
        except ValueError:
            return False

    found, wanted = ([line.strip().lower() for line in text.strip().split("\n")] for text in pair)
    same = len(found) == len(wanted) and all(
        one == other or is_near(one, other) for one, other in zip(found, wanted, strict=True)
    )
    assert is_accepted("sandbox-fusion", pair) == same


@pytest.mark.parametrize(
    ("actual", "expected", "accepted"),
    [
        ("5e-16", "0", True),
        ("1e-14", "0", False),
        ("100000.9", "100000", True),
        ("100002", "100000", False),
        ("Yes\n no ", "YES\nNO", True),
        ("1 2", "1.0 2.0", False),
        ("1\n2", "1 2", False),
        ("1\n2\n3", "1\n2", False),
        ("inf", "1e400", False),
        ("nan", "NaN", True),
        ("9" * 2_000, "8" * 2_000, False),
    ],
)
def test_sandbox_fusion_by_hand(actual: str, expected: str, accepted: bool) -> None:
    assert is_accepted("sandbox-fusion", (actual, expected)) is accepted


@MANY
@given(pair=pairs())
def test_codeforces_compares_testlib_tokens(pair: tuple[str, str]) -> None:
    def split_words(text: str) -> list[str]:
        return [word for word in re.split("[ \t\r\n]", text) if word]

    assert is_accepted("codeforces", pair) == (split_words(pair[0]) == split_words(pair[1]))


def parse_exact(token: str) -> Fraction | str | None:
    """Return the token's value as Decimal reads it: a fraction, an infinity's name, or None if it is not a number."""
    if re.fullmatch(r"[+-]?inf(inity)?", token, re.IGNORECASE):
        return "-inf" if token[0] == "-" else "inf"
    plain = token.replace("_", "")
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", plain, re.IGNORECASE):
        return Fraction(plain)
    return None


@MANY
@given(pair=pairs())
def test_livecodebench_compares_lines_then_decimals(pair: tuple[str, str]) -> None:
    sides = [[line.strip() for line in text.strip().split("\n")] for text in pair]
    same = len(sides[0]) == len(sides[1])
    for one, other in zip(*sides, strict=False):
        values, wanted = [[parse_exact(token) for token in line.split()] for line in (one, other)]
        numeric = None not in values + wanted  # NaN has no value here, because it agrees with nothing
        same = same and (one == other or (numeric and values == wanted))
    assert is_accepted("livecodebench", pair) == same


def parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def agrees_by_apps_rule(output: str, expected: str) -> bool:
    """Apply APPS' rule as a list of alternatives, each tested separately."""
    lines, text = output.splitlines(), expected.strip()
    chances = ["\n".join(lines).strip() == text, "\n".join(map(str.strip, lines)).strip() == text]
    wanted = list(map(str.strip, filter(None, expected.split("\n"))))
    filled = list(filter(None, lines))
    chances += [lines == wanted, filled == wanted]
    if len(filled) == len(wanted):
        chances.append(all(_is_close(parse_number(a), parse_number(b)) for a, b in zip(filled, wanted, strict=True)))
    rows = [set(line.split()) for line in filled if line.split()]
    wanted_rows = [set(line.split()) for line in wanted]
    chances.append(all(row in wanted_rows for row in rows) and all(row in rows for row in wanted_rows))
    flat = [parse_number(token) for row in rows + wanted_rows for token in row]
    if not any(math.isnan(value) for value in flat):
        rounded = [{round(parse_number(token), 3) for token in row} for row in rows]
        wanted_rounded = [{round(parse_number(token), 3) for token in row} for row in wanted_rows]
        chances.append(all(row in wanted_rounded for row in rounded) and all(row in rounded for row in wanted_rounded))
    return any(chances)


def _is_close(found: float, wanted: float) -> bool:
    return found == wanted or abs(found - wanted) <= 1e-8 + 1e-5 * abs(wanted) < math.inf


@MANY
@given(pair=pairs())
def test_apps_takes_the_first_chance_that_agrees(pair: tuple[str, str]) -> None:
    assert is_accepted("apps", pair) == (pair[0] == pair[1] or agrees_by_apps_rule(*pair))


@pytest.mark.parametrize(
    ("output", "expected", "accepted"),
    [
        ("1 2 3\n", "3 2 1", True),  # the order of tokens in a line
        ("b\na\na\n", "a\nb\n", True),  # the order and number of lines
        ("1.0001 2", "1 2", True),  # three decimals
        ("1.001 2", "1 2", False),
        ("1\n2\n", "1 2", False),  # lines are kept separate
        ("100001", "100000", True),  # a line that is one number: relative 1e-5
        ("Yes", "YES", False),
    ],
)
def test_apps_by_example(output: str, expected: str, accepted: bool) -> None:
    assert check("apps", output.encode(), expected.encode()).accepted == accepted


@pytest.mark.parametrize(
    ("output", "expected", "accepted"),
    [
        ("1.0 2\n", "1 2.00", True),
        ("0.1000001", "0.1", False),
        ("1 x", "1.0 x", False),  # a single token that is not a number disables the rule for its line
        ("nan", "NaN", False),
        ("50000000000000001", "50000000000000000", False),
        ("1e400", "10e399", True),
        ("1\n\n2", "1\n2", False),
        ("1", "01", True),
        ("sNaN", "snan", False),
    ],
)
def test_livecodebench_by_example(output: str, expected: str, accepted: bool) -> None:
    assert check("livecodebench", output.encode(), expected.encode()).accepted == accepted


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e308, math.inf, -math.inf, 2.0**53]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.binary(max_size=4),
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)


def _nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
    )


VALUES = st.recursive(SCALARS, _nest, max_leaves=8)


def spell(value: Any) -> str:
    return repr(value).replace("inf", "1e999")


def list_variants(value: Any) -> list[Any]:
    """Return the value itself, and values that `==` may or may not distinguish from it."""
    more: list[Any] = [value, [value], (value,)]
    if isinstance(value, (list, tuple)):
        more += [list(value), tuple(value), list(value)[::-1]]
    if isinstance(value, dict):
        more += [dict(reversed(value.items())), set(value)]
    if isinstance(value, (bool, int)) and abs(value) < 1 << 60:
        more += [float(value), int(value), value == 1]
    return more


@MANY
@given(value=VALUES, data=st.data())
def test_humaneval_agrees_as_python_does(value: Any, data: st.DataObject) -> None:
    other = data.draw(st.one_of(st.sampled_from(list_variants(value)), VALUES))
    one, two = spell(value), spell(other)
    assume("1e999" not in one + two or "'" not in one + two)  # the rewriting does not apply to strings
    assert ast.literal_eval(one) == value
    assert is_accepted("humaneval", (f" {one}\n", two)) == (value == other)


@MANY
@given(pair=pairs())
def test_humaneval_compares_other_texts_stripped(pair: tuple[str, str]) -> None:
    assume(not _is_literal(pair[0]) or not _is_literal(pair[1]))
    assert is_accepted("humaneval", pair) == (pair[0].strip() == pair[1].strip())


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text.strip())
    except (SyntaxError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("output", "expected", "accepted"),
    [
        ("{1: 2, 1.0: 3}", "{True: 3}", True),
        ("9007199254740993", "9007199254740992.0", False),
        ("(5)", "5", True),
        ("(5,)", "5", False),
        ("[1, 2,]", "[1,2]", True),
        ("{[1]: 2}", "{[1] : 2}", False),  # not a literal: text
        ("hello", "hello\n", True),
        ("'hello'", "hello", False),
        ("[" * 199 + "]" * 199, " " + "[" * 199 + " ]" + "]" * 198, True),
        ("9" * 5_000 + " ", "9" * 5_000, True),
        ("{}", "set()", False),
        ("{1, 1.0, True}", "{1}", True),
        ("1,2", "(1, 2)", False),
    ],
)
def test_humaneval_by_example(output: str, expected: str, accepted: bool) -> None:
    assert check("humaneval", output.encode(), expected.encode()).accepted == accepted
