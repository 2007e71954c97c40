"""Properties of every checker: reflexive, never raising, fast; and examples for the simple rules."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify import checkers
from sandbox.verify.checkers import RULES, CheckerFailed, check, json_value
from sandbox.verify.judge import CheckerChoice, judge_outcome

EQUIVALENCES = sorted(set(RULES) - {"regex"})
SYMMETRIC = sorted(set(EQUIVALENCES) - {"float", "apps"})  # those two measure relative to the expected output
MANY = 300_000  # items in a huge output

# Text near the edge cases of the rules: every number format, brackets, quotes, odd white space, invalid UTF-8.
PIECES = [
    *(b"0", b"1", b"-1", b"1.0", b"1e0", b"1e400", b"-1E401", b"1e-400", b"1_0", b"0x1f", b"nan", b"-NaN", b"inf"),
    *(
        b"-Infinity",
        b"sNaN",
        b"9" * 5_000,
        b"1e99999999999999999999",
        b".5",
        b"5.",
        b"+",
        b"e",
        b"a",
        b"A",
        b"yes",
        b"YES",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"(",
        b")",
        b",",
        b":",
        b'"',
        b"'",
        b"\\",
        b'"a"',
        b"'a'",
        b"None",
        b"True",
        b"null",
        b"set()",
    ),
    *(
        b" ",
        b"\n",
        b"\r\n",
        b"\r",
        b"\t",
        b"\v",
        b"\f",
        b"\x1c",
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xc3\x9f",
        b"\xe2\x80\xa8",
    ),
    *(b"\xd9\xa1", b"\xef\xbb\xbf", b"\xc2\xa0"),
]
OUTPUTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join), st.binary(max_size=24))
JSON_TEXTS = st.recursive(
    st.sampled_from(
        ["1", "-0", "01", "1.5e3", "1.", "NaN", "-Infinity", "+1", '"\\u00e9\\ud800"', '"\t"', '"é"', "true", "nul"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, min_size=1, max_size=2).map(lambda items: '{"k":' + '\n,"k" : '.join(items) + "}"),
        st.lists(inner, max_size=2).map(lambda items: f" [{','.join(items)},]\r"),
    ),
    max_leaves=6,
).map(str.encode)
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", EQUIVALENCES)
@RELAXED
@given(output=OUTPUTS)
def test_agrees_with_itself(kind: str, output: bytes) -> None:
    assert check(kind, output, bytes(bytearray(output))).accepted


@pytest.mark.parametrize("kind", EQUIVALENCES)
@RELAXED
@given(one=OUTPUTS, other=OUTPUTS)
def test_decides_on_any_bytes(kind: str, one: bytes, other: bytes) -> None:
    checked = check(kind, one, other)
    assert not checked.failed
    assert checked.accepted is not bool(checked.message)


@pytest.mark.parametrize("kind", SYMMETRIC)
@RELAXED
@given(one=OUTPUTS, other=OUTPUTS)
def test_says_the_same_both_ways(kind: str, one: bytes, other: bytes) -> None:
    assert check(kind, one, other).accepted == check(kind, other, one).accepted


@RELAXED
@given(text=st.text(max_size=12).map(str.strip), end=st.sampled_from(["", "\n", "\r\n", " \n"]))
def test_a_text_matches_its_own_spelling_as_a_regular_expression(text: str, end: str) -> None:
    spelling = re.escape(text).encode()
    assert check("regex", (text + end).encode(), spelling).accepted
    assert not check("regex", f"{text}?".encode(), spelling).accepted
    assert check("regex", f"x{text}x{end}".encode(), spelling, search=True).accepted


@RELAXED
@given(output=OUTPUTS)
def test_a_regular_expression_decides_on_any_bytes(output: bytes) -> None:
    assert not check("regex", output, b"(?s)[0-9]+|a.*").failed
    assert check("regex", output, b"(?s).*").accepted


@RELAXED
@given(one=OUTPUTS, other=OUTPUTS)
def test_rules_get_laxer_in_order(one: bytes, other: bytes) -> None:
    chains = [
        ["exact", "code-judge", "livecodebench"],
        ["exact", "lines", "tokens", "case_insensitive"],
        ["exact", "lines", "unordered_lines"],
        ["tokens", "unordered_tokens"],
        ["tokens", "float"],
    ]
    for chain in chains:
        accepted = [check(kind, one, other).accepted for kind in chain]
        assert accepted == sorted(accepted), chain


@pytest.mark.parametrize("kind", EQUIVALENCES)
def test_nothing_differs_from_something(kind: str) -> None:
    assert check(kind, b"", b"").accepted
    assert not check(kind, b"", b"1").accepted
    assert not check(kind, b"1", b"").accepted


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [(kind, kind not in {"exact", "code-judge"}) for kind in EQUIVALENCES],
)
def test_carriage_returns_at_line_ends(kind: str, accepted: bool) -> None:
    if kind in {"json", "humaneval"}:
        assert check(kind, b"[1,\r\n2]\r\n", b"[1,\n2]\n").accepted
    else:
        assert check(kind, b"1 2\r\n3\r\n", b"1 2\n3\n").accepted == accepted


Make = Callable[[], bytes]
HUGE: dict[str, Make] = {
    "tokens": lambda: b"7 " * MANY,
    "lines": lambda: b"7.5\n" * MANY,
    "distinct tokens": lambda: b" ".join(b"%d" % number for number in range(MANY)),
    "one long token": lambda: b"7" * (4 * MANY),
    "brackets": lambda: b"[" * MANY + b"]" * MANY,
    "objects": lambda: b'{"a":' * (MANY // 4) + b"1" + b"}" * (MANY // 4),
    "an array": lambda: b"[" + b"1.5," * MANY + b"2]",
    "a string": lambda: b'"' + b"\\n" * MANY + b'"',
    "minus signs": lambda: b"-" * MANY,
    "blanks": lambda: b" " * (4 * MANY),
    "blank lines": lambda: b"\r\n" * (2 * MANY),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", EQUIVALENCES)
@pytest.mark.parametrize("shape", HUGE)
def test_huge_outputs_take_seconds(kind: str, shape: str) -> None:
    data = HUGE[shape]()
    for change in (data + b" \n", data[:-1] + b"8", data + b"\nx"):
        before = time.process_time()
        found = check(kind, change, data)
        assert not found.failed or "the maximum for this checker" in found.message
        assert time.process_time() - before < 30  # quadratic time would be far more; an idle machine takes 0.1 to 1.5 s


@pytest.mark.parametrize(
    ("kind", "actual", "expected", "options"),
    [
        ("lines", b"a b  \n\n", b"a b", {}),
        ("tokens", b" a\n\nb ", b"a b", {}),
        ("float", b"0.5 x", b"0.50 x", {}),
        ("float", b"1.1", b"1", {"absolute": 0.2}),
        ("float", b"1e400", b"10e399", {}),
        ("float", b"+inf nan", b"Infinity -NaN", {}),
        ("unordered_lines", b"b 1\r\na 2 \n\n", b"a 2\nb 1", {}),
        ("unordered_tokens", b"3 1\n2", b"1 2 3", {}),
        ("case_insensitive", b"Yes\n", b"YES", {}),
        ("case_insensitive", "STRASSE É".encode(), "straße é".encode(), {}),
        ("json", b'{"a": [1, 2.0], "b": null}', b'{"b":null,"a":[1.0,2]}', {}),
        ("json", b'"\\u00e9"', '"é"'.encode(), {}),
        ("json", b"1e400", b"10E399", {}),
        ("json", b"1" + b"0" * 9_000, b"1e9000", {}),
        ("json", b"0.3000001", b"0.3", {"absolute": 1e-6}),
        ("json", b'{"a":1,"a":2}', b'{"a":2}', {}),
        ("regex", b"Case 12: yes\n", rb"Case \d+: (yes|no)" + b"\r\n", {}),
        ("regex", b"some yes here", b"yes", {"search": True}),
        ("regex", b"a\nYES", b"^yes$", {"search": True, "multiline": True, "ignore_case": True}),
        ("regex", b"\xff!", b".!", {}),
        ("regex", "é".encode(), b".", {}),
    ],
)
def test_accepts(kind: str, actual: bytes, expected: bytes, options: dict[str, Any]) -> None:
    assert check(kind, actual, expected, **options).accepted


@pytest.mark.parametrize(
    ("kind", "actual", "expected", "options"),
    [
        ("exact", b"a\n", b"a", {}),
        ("lines", b" a", b"a", {}),
        ("tokens", b"0.5", b"0.50", {}),
        ("tokens", b"a", b"a a", {}),
        ("float", b"1.2", b"1", {"absolute": 0.1, "relative": 0.1}),
        ("float", b"1e400", b"1e401", {}),
        ("float", b"1e400", b"inf", {}),
        ("float", b"1_0", b"10", {}),
        ("float", b"0x10", b"16", {}),
        ("float", b"nan", b"0", {"absolute": 1e300}),
        ("unordered_lines", b"a\na\nb", b"a\nb\nb", {}),
        ("unordered_lines", b"1 2", b"2 1", {}),
        ("unordered_tokens", b"1 1 2", b"1 2 2", {}),
        ("case_insensitive", b"yes", b"no", {}),
        ("json", b"[1, 2]", b"[2, 1]", {}),
        ("json", b"1", b"true", {}),
        ("json", b"01", b"1", {}),
        ("json", b"1 2", b"1", {}),
        ("json", b"[1,]", b"[1]", {}),
        ("json", b"{'a': 1}", b'{"a": 1}', {}),
        ("json", b"9007199254740993", b"9007199254740992", {}),
        ("json", b'"1"', b"1", {}),
        ("regex", b"ab", b"a", {}),
        ("regex", b"a\nb", b"a.b", {}),
    ],
)
def test_rejects(kind: str, actual: bytes, expected: bytes, options: dict[str, Any]) -> None:
    checked = check(kind, actual, expected, **options)
    assert not checked.accepted
    assert checked.message
    assert not checked.failed


@RELAXED
@given(one=OUTPUTS, kind=st.sampled_from(EQUIVALENCES))
def test_messages_do_not_show_what_is_expected(one: bytes, kind: str) -> None:
    assert "S3CRET" not in check(kind, one, b"S3CRET").message


@RELAXED
@given(output=st.one_of(OUTPUTS, JSON_TEXTS))
def test_both_json_readers_read_the_same(output: bytes) -> None:
    readings: list[object] = []
    for reader in (json_value.parse, lambda data: json_value.parse_deep(data.decode())):
        try:
            readings.append(reader(output))
        except ValueError:
            readings.append("not JSON")
    assert repr(readings[0]) == repr(readings[1])
    assert readings[0] == readings[1]


def test_exact_names_the_first_byte_that_differs() -> None:
    assert check("exact", b"x" * 5_000 + b"y", b"x" * 5_001).message == "outputs differ at byte 5000"
    assert check("exact", b"ab", b"abc").message == "outputs differ at byte 2"


def test_a_json_value_of_very_many_brackets_is_read() -> None:
    deep = b"[" * MANY + b"]" * MANY
    assert check("json", b" " + deep, deep).accepted
    assert not check("json", b"[" + deep + b"]", deep).accepted


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (b"(", "not a regular expression"),
        (b"(?:a?|b?)" * 40 + b"(?!)", "even on an empty output"),
    ],
)
def test_a_regular_expression_that_cannot_decide_on_any_output_fails_the_checker(pattern: bytes, why: str) -> None:
    checked = check("regex", b"a" * 40, pattern)
    assert checked.failed
    assert why in checked.message
    assert check("regex", b"a", b"a").accepted, "the next expression has a matcher again"


@pytest.mark.parametrize(
    ("pattern", "output"),
    [
        (rb"(\d+ ?)+\.", b"1" * 60),
        (rb"([a-z]+)*!", b"abcd" * 20),
        (rb"(x*)*y|(?:a|aa)+b", b"a" * 90),
        (rb"(\w+\s?)*:", b"word " * 50 + b"-"),
    ],
)
def test_an_output_that_makes_a_regular_expression_run_out_is_wrong(pattern: bytes, output: bytes) -> None:
    checked = check("regex", output, pattern)
    assert (checked.accepted, checked.failed) == (False, False)
    assert "the output makes" in checked.message
    assert check("regex", b"a", b"a").accepted, "the next expression has a matcher again"


def test_a_long_run_of_digits_is_read_once() -> None:
    before = time.process_time()
    for end in (b"x", b"..", b"e", b"e+"):
        assert not check("float", b"7" * 60_000 + end, b"42").accepted
    assert time.process_time() - before < 2  # one digit at a time takes minutes


@pytest.mark.parametrize(
    ("output", "expected", "absolute", "relative", "accepted"),
    [
        ("0.34", "0.33", 0.01, 0, True),
        ("0.35", "0.33", 0.02, 0, True),
        ("1.1", "1", 0, 0.1, True),
        ("-0.9", "-1", 0.1, 0, True),
        ("1e-3", "0.002", 0.001, 0, True),
        ("103", "100", 0, 0.03, True),
        ("0.3400000000000000001", "0.33", 0.01, 0, False),
        ("1.10001", "1", 0, 0.1, False),
        ("9007199254740993", "9007199254740992", 0, 0, False),
        ("9007199254740993", "9007199254740992", 1, 0, True),
        ("9007199254740994", "9007199254740992", 1, 0, False),
        ("1" + "0" * 60, "1" + "0" * 59 + "1", 0, 0, False),
        ("1" + "0" * 60, "1" + "0" * 59 + "1", 1, 0, True),
        ("1.00", "1", 0, 0, True),
        ("-0.0", "0", 0, 0, True),
        ("5e-16", "0", 1e-15, 1e-5, True),
        ("5e-324", "0", 0, 0, False),
        ("1e-400", "0", 0, 0, False),
        ("1e-400", "0", 1e-300, 0, True),
        ("1e309", "1e309", 0, 0, True),
        ("10e308", "1e309", 0, 0, True),
        ("1.1e309", "1e309", 0, 0.1, True),
        ("1.2e309", "1e309", 0, 0.1, False),
        ("1e309", "inf", 1e300, 1, False),
        ("inf", "Infinity", 0, 0, True),
        ("-inf", "inf", 1e300, 1, False),
        ("nan", "-NaN", 0, 0, True),
        ("nan", "1", 1e300, 1, False),
        ("1_0", "10", 1, 0, False),
        ("0x1p3", "8", 1, 0, False),
        ("snan", "snan ", 0, 0, True),
        ("1.", "1", 0, 0, True),
        (".5", "0.5", 0, 0, True),
    ],
)
def test_numbers_are_compared_in_decimal(
    output: str, expected: str, absolute: float, relative: float, accepted: bool
) -> None:
    options = {"absolute": absolute, "relative": relative}
    assert check("float", output.encode(), expected.encode(), **options).accepted is accepted
    if all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d+)?", number) for number in (output, expected)):
        one, other = (f"[{number}]".encode() for number in (output, expected))
        assert check("json", one, other, **options).accepted is accepted


@pytest.mark.parametrize("error", [CheckerFailed("lost"), RecursionError(), MemoryError(), ValueError("bug")])
def test_a_checker_that_fails_is_an_internal_error_and_never_a_wrong_answer(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def raise_error(actual: bytes, expected: bytes) -> str:
        raise error

    monkeypatch.setitem(RULES, "tokens", raise_error)
    verdict = judge_outcome(Outcome(Status.OK, exit_code=0, stdout=b"1"), b"2", CheckerChoice("tokens", {}))
    assert verdict.verdict is Verdict.INTERNAL_ERROR
    assert "the checker failed" in verdict.message


def test_an_unknown_checker_is_a_bug_of_the_caller() -> None:
    with pytest.raises(KeyError):
        checkers.check("no such rule", b"", b"")
