"""The page of all checkers that a submission can select."""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_args

from sandbox import schema
from sandbox.docs.generate.markdown_format import format_code, format_docstring, format_table
from sandbox.verify import checkers

INTRODUCTION = """
# Checkers

The field `checker` of `POST /verify` selects the rule that decides whether an output is correct:
`"checker": {"type": ..., options}`. The default is `tokens`.

Outputs are bytes, and bytes that are not UTF-8 are compared as they are. An output that equals the expected output byte
for byte is correct under every checker except `regex`. If a checker cannot decide, the verdict is `internal_error`,
never `wrong_answer`.

The presets `apps`, `codeforces`, `code-judge`, `humaneval`, `livecodebench` and `sandbox-fusion` follow the rules of
those projects, including their leniency. `program` and `interactive` run your own programs; see [judge
programs](../how-to/judge.md#your-own-checker) for their arguments and exit codes.

The work of a checker is bounded, so no output costs much more to judge than to print. An output that is longer than 64
times the expected output plus 64 KiB is wrong under every checker except `regex`, `program` and `interactive`.
"""


def list_checkers() -> dict[str, type[Any]]:
    """Return the model of each checker by its `type` in requests."""
    models = get_args(get_args(schema.Checker)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


def read_rule(kind: str) -> str:
    """Return the docstring of the module that implements a rule; empty if the worker has no rule of that kind."""
    if kind not in checkers.RULES:
        return ""
    return format_docstring(import_module(checkers.RULES[kind].__module__).__doc__)


def build_page() -> str:
    parts = [INTRODUCTION]
    for kind, model in list_checkers().items():
        parts += [f"## {kind}", format_docstring(model.__doc__)]
        if read_rule(kind) and read_rule(kind) != format_docstring(model.__doc__):
            parts.append(read_rule(kind))
        if list_options(model):
            parts.append(format_table(("option", "default", "meaning"), list_options(model)))
    return "\n\n".join(parts)


def list_options(model: type[Any]) -> list[tuple[str, str, str]]:
    return [
        (
            format_code(name),
            "required" if field.is_required() else _format_default(field.default),
            field.description or "",
        )
        for name, field in model.model_fields.items()
        if name != "type"
    ]


def _format_default(value: Any) -> str:
    return "the service's" if isinstance(value, schema.LimitsRequest) else format_code(value)
