"""Generates the types of the client's keyword arguments from the models: `python -m tests.client.generate_fields`.

Each request model becomes a TypedDict. A nested model with options, such as `limits`, becomes a TypedDict of its own.
Items of lists, such as tests, often come from a file, so they may be any mapping.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.checkers import Checker, EquivalenceChecker
from sandbox.schema.hack import HackRequest
from sandbox.schema.quality import QualityRequest
from sandbox.schema.reward import RewardRequest
from sandbox.schema.sessions import SessionRequest
from sandbox.schema.tests import AnyTest
from sandbox.schema.vote import VoteRequest

COMMAND = "python -m tests.client.generate_fields"
TARGET = Path(__file__).parents[2] / "sandbox" / "client" / "request_fields.py"
REQUESTS = (ExecuteRequest, VerifyRequest, VoteRequest, QualityRequest, HackRequest, RewardRequest, SessionRequest)
# Unions that have a name. The mapping of a checker is one class with the options of all of them.
NAMED_UNIONS = {
    "Checker": ("sandbox.schema.checkers", Checker, "CheckerFields"),
    "EquivalenceChecker": ("sandbox.schema.checkers", EquivalenceChecker, "EquivalenceCheckerFields"),
    "AnyTest": ("sandbox.schema.tests", AnyTest, "Mapping[str, Any]"),
}
HEADER = f'''"""The fields of requests as types of keyword arguments. Only type checkers and editors read this module.

Generated from `sandbox.schema` by `{COMMAND}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

'''


class FieldsGenerator:
    """Collects the classes of the module and what they import."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._imports: set[tuple[str, str]] = set()

    def build_module(self) -> str:
        """Return the text of the module."""
        for model in REQUESTS:
            self._add_class(model)
        imports = "".join(f"from {module} import {name}\n" for module, name in sorted(self._imports))
        return HEADER + imports + "\n\n" + "\n\n".join(self._classes.values())

    def _add_class(self, model: type) -> str:
        """Add the TypedDict of a model, after those that it refers to; return its name."""
        name = model.__name__.removesuffix("Request") + "Fields"
        if name not in self._classes:
            lines = [f"    {field}: {self._format_type(kind)}\n" for field, kind in _list_fields(model)]
            doc = f"The fields of `{model.__module__}.{model.__name__}`."
            self._classes[name] = f'class {name}(TypedDict, total=False):\n    """{doc}"""\n\n' + "".join(lines)
        return name

    def _format_type(self, kind: Any, is_item: bool = False) -> str:
        return " | ".join(dict.fromkeys(self._list_alternatives(kind, is_item)))

    def _list_alternatives(self, kind: Any, is_item: bool) -> list[str]:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            extra = [given for part in arguments[1:] for given in _find_input_type(part)]
            return [text for each in (*extra, arguments[0]) for text in self._list_alternatives(each, is_item)]
        if origin in (Union, UnionType):
            if named := self._list_named_union(arguments):
                return named
            members = sorted(arguments, key=lambda each: each is NoneType)
            found = [text for each in members for text in self._list_alternatives(each, is_item)]
            return [text for text in found if text != "None"] + [text for text in found if text == "None"]
        if origin is Literal:
            return [f"Literal[{', '.join(map(repr, arguments))}]"]
        if origin is list or kind is list:
            return [f"Sequence[{self._format_type(arguments[0], is_item=True)}]"]
        if origin is not None:  # dict or Mapping
            return [f"Mapping[{', '.join(self._format_type(each, is_item=True) for each in arguments)}]"]
        return self._list_class(kind, is_item)

    def _list_named_union(self, arguments: tuple[Any, ...]) -> list[str]:
        """Return the names for a union of models, or an empty list if it has none."""
        models = _list_models(arguments)
        for name, (module, union, mapping) in NAMED_UNIONS.items():
            if models == _list_models(get_args(get_args(union)[0])):
                self._imports.add((module, name))
                if mapping.isidentifier():
                    self._add_merged_class(mapping, name, models)
                return [name, mapping, *(["None"] if NoneType in arguments else [])]
        return []

    def _add_merged_class(self, name: str, union: str, models: list[Any]) -> None:
        kinds: dict[str, list[str]] = {}
        for model in models:
            for field, kind in _list_fields(model):
                kinds.setdefault(field, []).append(self._format_type(kind))
        lines = "".join(f"    {field}: {' | '.join(dict.fromkeys(each))}\n" for field, each in kinds.items())
        self._classes[name] = f'class {name}(TypedDict, total=False):\n    """`{union}` as a mapping."""\n\n{lines}'

    def _list_class(self, kind: Any, is_item: bool) -> list[str]:
        if kind is Any or kind is NoneType:
            return ["Any" if kind is Any else "None"]
        if issubclass(kind, BaseModel) or is_dataclass(kind):
            self._imports.add((kind.__module__, kind.__name__))
            return [kind.__name__, "Mapping[str, Any]" if is_item else self._add_class(kind)]
        if issubclass(kind, Enum):
            self._imports.add((kind.__module__, kind.__name__))
            return [kind.__name__, f"Literal[{', '.join(repr(each.value) for each in kind)}]"]
        return ["bytes", "str"] if kind is bytes else [kind.__name__]


def _list_models(members: tuple[Any, ...]) -> list[Any]:
    """Return the classes of a union of two or more models, without None and without tags; otherwise an empty list."""
    plain = [get_args(each)[0] if get_origin(each) is Annotated else each for each in members if each is not NoneType]
    is_models = len(plain) > 1 and all(isinstance(each, type) and issubclass(each, BaseModel) for each in plain)
    return plain if is_models else []


def _list_fields(model: type) -> list[tuple[str, Any]]:
    """Return the names and annotations of a model's fields, under the names that a request uses."""
    if is_dataclass(model):
        hints = get_type_hints(model, include_extras=True)
        return [(field.name, hints[field.name]) for field in fields(model)]
    assert issubclass(model, BaseModel)
    return [(info.alias or name, _restore_annotation(info)) for name, info in model.model_fields.items()]


def _restore_annotation(info: FieldInfo) -> Any:
    """Return a field's annotation with the metadata that pydantic took out of it."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _find_input_type(metadata: object) -> list[Any]:
    """Return what a validator accepts besides the field's own type, such as a plain string for a model."""
    given = getattr(metadata, "json_schema_input_type", PydanticUndefined)
    return [] if not isinstance(metadata, BeforeValidator) or given is PydanticUndefined else [given]


def generate() -> str:
    text = textwrap.dedent(FieldsGenerator().build_module())
    for arguments in (("check", "--fix-only", "--quiet", "--select=F401,I,PYI030"), ("format",)):
        command = [sys.executable, "-m", "ruff", *arguments, f"--stdin-filename={TARGET}", "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
