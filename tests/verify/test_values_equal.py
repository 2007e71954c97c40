"""Function results: a value encoded in a box is decoded unchanged, and compared as JSON would represent it."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.verify.values_equal import MAX_COLLECTIONS, EqualityRule, has_too_many_collections, values_equal

RELAXED = settings(max_examples=100, deadline=None)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([9_000, 53]).map(lambda bits: 1 << bits),
    st.sampled_from([math.inf, -math.inf, -0.0, "", "\0", "\ud800", "é"]),
    st.floats(allow_nan=False),
    st.text(max_size=5),
)
HASHABLE = st.recursive(
    st.one_of(SCALARS, st.binary(max_size=3)),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
PLAIN = st.recursive(
    st.one_of(HASHABLE, st.fractions(), st.decimals(allow_nan=False), st.complex_numbers(allow_nan=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.lists(inner, max_size=3).map(deque),
        st.just(range(2, 9, 3)),
    ),
    max_leaves=8,
)


def encode_and_transport(value: Any) -> Any:
    """Return a value as it arrives from a box, encoded."""
    return json.loads(json.dumps(codec.encode(value)))


@RELAXED
@given(value=PLAIN)
def test_a_plain_value_comes_out_as_it_went_in(value: Any) -> None:
    found = codec.decode(encode_and_transport(value))
    assert found == value
    assert repr(type(found)) == repr(type(value))


@RELAXED
@given(value=JSON_VALUES)
def test_json_values_equal_themselves(value: Any) -> None:
    assert values_equal(encode_and_transport(value), value)


def to_json(value: Any) -> Any:
    """Return what a person would write in a test for this value."""
    if isinstance(value, tuple | list | deque | range):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): to_json(item) for key, item in value.items()}
    return value


KEYED = st.recursive(
    SCALARS.filter(lambda value: not (isinstance(value, float) and not math.isfinite(value))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.integers(-99, 99), st.booleans(), st.none()), inner, max_size=3),
    ),
    max_leaves=8,
)


@RELAXED
@given(value=KEYED, other=KEYED)
def test_tuples_are_lists_and_keys_are_texts_and_nothing_else_is_the_same(value: Any, other: Any) -> None:
    assert values_equal(encode_and_transport(value), to_json(value))
    assert values_equal(encode_and_transport(value), to_json(other)) == (to_json(value) == to_json(other))


@RELAXED
@given(items=st.sets(st.one_of(SCALARS, st.tuples(SCALARS, SCALARS)), max_size=6), data=st.data())
def test_a_set_is_no_list_unless_order_does_not_matter(items: set[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(list(items)))
    assert not values_equal(encode_and_transport(items), shuffled)
    assert values_equal(encode_and_transport(items), shuffled, ANY_ORDER)
    assert values_equal(encode_and_transport([*items]), shuffled, ANY_ORDER)
    assert not values_equal(encode_and_transport(items), [*shuffled, "one more"], ANY_ORDER)
    if shuffled:
        assert not values_equal(encode_and_transport(items), [*shuffled[1:], "another"], ANY_ORDER)


@pytest.mark.parametrize(
    ("value", "expected", "equal"),
    [
        ({(1, 2), frozenset({1, 2})}, [[2, 1], [1, 2]], True),
        ({(1, 2), frozenset({1, 2})}, [[2, 1], [2, 1]], False),
        ({frozenset({1}), frozenset()}, [[], [1]], True),
        ({1, 2}, [1.0, True + 1], True),
        ([[2, 1], [1]], [[1], [2, 1]], True),
        ([[2, 1], [1]], [[1], [1, 2]], False),
        ([{1, 2}, 3], [3, [2, 1]], True),
    ],
)
def test_what_is_the_same_in_any_order(value: Any, expected: Any, equal: bool) -> None:
    assert values_equal(encode_and_transport(value), expected, ANY_ORDER) is equal
    assert not values_equal(encode_and_transport(value), expected)


@pytest.mark.parametrize(
    ("value", "expected", "equal"),
    [
        ({1: 1, "1": 2}, {"1": 1}, False),
        (math.nan, math.nan, True),
        ([math.nan], [0], False),
        (math.inf, 1e308, False),
        (10**400, 1.0, False),
        (1e18, 10**18 + 1, False),
        (10**18 + 1, 1e18, False),
        (1e18, 10**18, True),
        ({"x": (2.0**53,)}, {"x": [2**53 + 1]}, False),
        (True, 1, True),
        ("1", 1, False),
        (b"a", "a", False),
        (Fraction(1, 2), 0.5, True),
        (Decimal("0.5"), 0.5, True),
        (2 + 0j, 2, True),
        (range(10**18), [0], False),
        (None, [], False),
        ({}, [], False),
    ],
)
def test_same_by_example(value: Any, expected: Any, equal: bool) -> None:
    assert values_equal(encode_and_transport(value), expected) is equal


def test_tolerances_reach_into_lists_and_dicts() -> None:
    value = encode_and_transport({"a": (1.0001, [2])})
    assert values_equal(value, {"a": [1, [2.0001]]}, EqualityRule(absolute=1e-3))
    assert values_equal(value, {"a": [1, [2]]}, EqualityRule(relative=1e-3))
    assert not values_equal(value, {"a": [1, [2]]}, EqualityRule(absolute=1e-5))


@pytest.mark.parametrize(
    ("value", "expected", "rule", "equal"),
    [
        (0.34, 0.33, EqualityRule(absolute=0.01), True),
        (0.3401, 0.33, EqualityRule(absolute=0.01), False),
        (100, 101, EqualityRule(relative=0.01), True),
        (2**53, 2**53 + 2, EqualityRule(absolute=1), False),
        (1e308, -1e308, EqualityRule(relative=3), True),
        (math.inf, 1.0, EqualityRule(absolute=1e9), False),
        (math.nan, 1.0, EqualityRule(absolute=1e9), False),
        (1 << 5_000, 1.0, EqualityRule(relative=1e9), False),
    ],
)
def test_a_difference_is_taken_of_the_numbers_as_they_are_written(
    value: Any, expected: Any, rule: EqualityRule, equal: bool
) -> None:
    assert values_equal(encode_and_transport(value), expected, rule) is equal


ANY_ORDER = EqualityRule(any_order=True)


@pytest.mark.parametrize(
    ("value", "expected", "absolute", "relative", "equal"),
    [
        (0.34, 0.33, 0.01, 0.0, True),
        ([1.01], [1], 0.01, 0.0, True),
        (110, 100, 0.0, 0.1, True),
        (111, 100, 0.0, 0.1, False),
        (1.1, 1, 0.0, 0.1, True),
        (0.35, 0.33, 0.01, 0.0, False),
        (2**53 + 1, 2.0**53, 0.0, 0.0, False),
        (2**53 + 1, 2**53, 0.0, 1e-16, False),
        (10**400, 10**400 + 1, 1.0, 0.0, True),
        (10**400, 1.0, 1.0, 1.0, False),
        (math.inf, 10**400, 1.0, 1.0, False),
        (math.nan, math.nan, 0.1, 0.0, True),
        (True, False, 1.0, 0.0, False),
        (True, 1, 1.0, 0.0, True),
        ("1", 1, 1.0, 0.0, False),
    ],
)
def test_tolerances_are_decimal(value: Any, expected: Any, absolute: float, relative: float, equal: bool) -> None:
    assert values_equal(encode_and_transport(value), expected, EqualityRule(absolute, relative)) is equal


class EqualToEverything(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def test_a_subclass_is_its_builtin_base() -> None:
    assert codec.encode([EqualToEverything(3)]) == [3]
    assert type(codec.encode(EqualToEverything(3))) is int


@pytest.mark.parametrize("value", [object(), EqualToEverything, len, json])
def test_values_that_are_not_plain_are_refused(value: Any) -> None:
    with pytest.raises(UnsupportedValue):
        codec.encode(value)


@pytest.mark.parametrize(
    "encoded",
    [
        {"fraction": ["0x1" + "3" * 4_000_000, "0x1" + "7" * 4_000_000]},
        {"fraction": ["0x1", "0x0"]},
        {"decimal": "x"},
        {"mine": ["object", 0, "x", 0]},
        {"yours": 0},
        {"set": [1, 1]},
        {"frozenset": [[1], {"tuple": [1]}]},
        {"nodes": [1]},
        {"date": [2024, 1, 1]},
        {"no such kind": 0},
        {"ndarray": ["<i8", [1]]},
        {"a": 1, "b": 2},
        {"bytes": "?"},
        {},
    ],
)
def test_encodings_that_no_encoder_writes_are_refused(encoded: Any) -> None:
    began = time.process_time()
    with pytest.raises(UnsupportedValue):
        codec.decode(encoded)
    assert time.process_time() - began < 2


def test_keys_of_one_hash_cost_no_more_than_others() -> None:
    pairs = [[number * (2**61 - 1), 1] for number in range(1, 100_000)]
    began = time.process_time()
    assert not values_equal({"dict": pairs}, {"1": 1})
    assert not values_equal({"set": [key for key, _ in pairs]}, list(range(len(pairs))), ANY_ORDER)
    assert time.process_time() - began < 20  # quadratic time would be minutes; an idle machine takes 0.3 s


@pytest.mark.parametrize("forged", [{"set": [1, 1]}, {"set": [[1], {"tuple": [1]}]}, {"set": [1, 1.0]}])
def test_a_set_that_holds_an_item_twice_is_refused(forged: Any) -> None:
    for rule in (EqualityRule(), ANY_ORDER):
        with pytest.raises(UnsupportedValue):
            values_equal(forged, [1, 1], rule)


@pytest.mark.parametrize(("nodes", "expected", "equal"), [([], None, True), ([], [], True), ([1], [1], True)])
def test_the_nodes_of_a_list_are_its_values_and_an_empty_list_is_none(nodes: Any, expected: Any, equal: bool) -> None:
    assert values_equal({"nodes": nodes}, expected) is equal
    assert not values_equal({"nodes": nodes}, [2])
    assert not values_equal({"nodes": [1]}, None)


@pytest.mark.parametrize("text", ["[" * 4_000_000, '\\"[' * 2_000_000, "\\\\", '"' * 7 + "{" * 10])
def test_brackets_in_a_string_open_nothing(text: str) -> None:
    assert not has_too_many_collections(json.dumps({"value": text}).encode())
    assert has_too_many_collections(json.dumps({"value": text}).encode() + b"[" * (MAX_COLLECTIONS + 1))


def test_an_answer_with_too_many_lists_is_detected_by_its_brackets() -> None:
    assert has_too_many_collections(b"[" * (MAX_COLLECTIONS + 1))
    assert not has_too_many_collections(b"1," * MAX_COLLECTIONS)
