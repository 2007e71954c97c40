"""Classes built from another process's description of its own classes."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.runner.rpc import remote_classes
from sandbox.runner.rpc.class_proxies import ClassProxy
from sandbox.runner.rpc.special_methods import SPECIAL_METHODS
from sandbox.runner.rpc.trust_policy import UNTRUSTED, TrustPolicy

DESCRIPTION: dict[str, Any] = {
    "name": "Thing",
    "qualname": "Thing",
    "doc": None,
    "bases": [],
    "special": [],
    "compares": False,
    "unhashable": False,
    "methods": [],
    "based": False,
    "error": False,
}
PEER: Any = SimpleNamespace(trust=TrustPolicy(is_trusting=False), program_name="program")


def build_class(**described: Any) -> Any:
    return remote_classes.build_class(PEER, 0, {**DESCRIPTION, **described}, lambda value: value)


def test_a_built_class_has_exactly_the_known_special_methods_of_its_description() -> None:
    kind = build_class(
        special=["__len__", "__call__", "__init_subclass__", "__getattribute__", "__class__", "_trust_level"]
    )
    assert isinstance(kind, ClassProxy)
    assert SPECIAL_METHODS & vars(kind).keys() == {"__len__", "__call__"}
    assert (kind._trust_level, kind._defines_eq) == (UNTRUSTED, False)


def test_named_tuples_and_enums_are_built_as_real_ones() -> None:
    point = build_class(record=["x", "y"], defaults=[5], special=["__eq__", "__hash__", "__len__"])
    assert point(1) == (1, 5)
    assert point(1) != 7
    color = build_class(enum={"kind": "IntEnum", "mixin": "", "members": [["RED", 1], ["BLUE", 2]]}, special=["__eq__"])
    assert issubclass(color, enum.IntEnum)
    assert color.RED == 1
    assert color.RED != color.BLUE


@pytest.mark.parametrize(
    "members",
    [
        [["__eq__", 1]],
        [["_missing_", 1]],
        [["mro", 1]],
        [["a b", 1]],
        [["startswith", str.startswith]],
        [["count", lambda *_: True]],
    ],
)
def test_an_enum_with_a_member_that_would_be_a_method_is_refused(members: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        build_class(enum={"kind": "Enum", "mixin": "", "members": members})


@pytest.mark.parametrize("fields", [["__eq__"], ["_x"], ["a b"], ["class"], ["x", "x"]])
def test_a_named_tuple_with_an_invalid_field_name_is_refused(fields: list[str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        build_class(record=fields, defaults=[])
