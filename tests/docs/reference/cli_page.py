"""Every command, argument and option of `sandbox.cli`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from sandbox.cli import app
from tests.docs.reference.table import code, paragraph, table

INTRODUCTION = """
# Command line

`sandbox COMMAND --help` says the same. What goes wrong is one line on standard error that says what to do, and exit
code 1.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Full name and command, hidden ones left out."""
    yield from _below("sandbox", get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children or name == "sandbox":
        yield name, command
    for child in children.values():
        if not child.hidden:
            yield from _below(f"{name} {child.name}", child)


def options(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.hidden]


def spelling(parameter: Any) -> str:
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    told = f"{code(parameter.default)} " if parameter.default not in (None, False, "", ()) else ""
    return told + (f"or ${parameter.envvar}" if parameter.envvar else "")


def page() -> str:
    parts = [INTRODUCTION]
    for name, command in commands():
        parts += [f"## {name}", paragraph(command.help)]
        if options(command):
            rows = [(code(spelling(each)), _default(each), each.help or "") for each in options(command)]
            parts.append(table(("argument or option", "default", "meaning"), rows))
    return "\n\n".join(parts)
