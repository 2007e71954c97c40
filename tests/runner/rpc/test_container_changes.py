"""Changes that a call makes to the containers among its arguments."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import pytest

from sandbox.runner.rpc import codec, container_changes
from sandbox.runner.rpc.nodes import NodeListCodec


def call_and_apply(function: Any, *args: Any) -> list[Any]:
    """Call a function with copies of the arguments, as another process would, and apply its changes."""
    copies = [codec.decode(json.loads(json.dumps(codec.encode(item)))) for item in args]
    watch = container_changes.ContainerSnapshot(copies)
    function(*copies)
    parts = container_changes.find_containers(args)
    sent = json.loads(json.dumps(watch.encode_changes(NodeListCodec())))
    for number, content in sent:
        container_changes.apply_content(parts[number], [_decode_item(item, parts) for item in content])
    return sent  # type: ignore[no-any-return]


def _decode_item(item: Any, parts: list[Any]) -> Any:
    return parts[item["part"]] if isinstance(item, dict) and "part" in item else codec.decode(item)


@pytest.mark.parametrize(
    ("given", "function", "after"),
    [
        ([3, 1, 2], lambda xs: xs.sort(), [1, 2, 3]),
        ([[1], [2]], lambda xs: xs[1].append(3), [[1], [2, 3]]),
        ([[3], [1]], lambda xs: xs.sort(), [[1], [3]]),
        ({"a": [1]}, lambda d: d["a"].clear() or d.update(b=2), {"a": [], "b": 2}),
        ({1, 2}, lambda s: s.discard(1), {2}),
        (([1], {2: [3]}), lambda t: t[1][2].append(4), ([1], {2: [3, 4]})),
        ([1], lambda xs: xs.__setitem__(0, True), [True]),
        (deque([1, 2]), lambda q: q.rotate(1), deque([2, 1])),
    ],
)
def test_changes_of_the_callee_reach_the_caller(given: Any, function: Any, after: Any) -> None:
    call_and_apply(function, given)
    assert given == after
    assert list(map(type, given)) == list(map(type, after))


def test_unchanged_containers_are_not_sent() -> None:
    assert call_and_apply(lambda *args: sorted(args[0]), [3, 1], {"a": [{}]}, "text", (1, [2])) == []


def test_a_container_keeps_its_identity_wherever_it_is_moved() -> None:
    a, b = [3], [1]
    rows = [a, b]
    call_and_apply(lambda xs: (xs.sort(), xs[0].append(0)), rows)
    assert rows == [[1, 0], [3]]
    assert rows[0] is b
    assert rows[1] is a


@pytest.mark.parametrize("made", [Counter, OrderedDict, lambda: defaultdict(list), dict])
def test_mappings_of_every_kind_are_refilled(made: Any) -> None:
    mapping = made()
    container_changes.apply_content(mapping, ["k", "l", 1, 2])
    assert mapping == {"k": 1, "l": 2}
    assert type(mapping) is type(made())
