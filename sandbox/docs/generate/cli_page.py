"""The page of all commands, arguments and options of `sandbox.cli`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from sandbox.cli import app
from sandbox.docs.generate.markdown_format import format_code, format_docstring, format_table

INTRODUCTION = """
# Command line

`sandbox COMMAND --help` shows the same text. If a command fails, it prints one line with the cause and the remedy to
standard error and exits with code 1.
"""


def list_commands() -> Iterator[tuple[str, Any]]:
    """Yield the full name and the object of each command, except hidden ones."""
    yield from _walk_commands("sandbox", get_command(app))


def _walk_commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", {})
    if not subcommands or name == "sandbox":
        yield name, command
    for child in subcommands.values():
        if not child.hidden:
            yield from _walk_commands(f"{name} {child.name}", child)


def list_options(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.hidden]


def format_spelling(parameter: Any) -> str:
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _format_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default_text = f"{format_code(parameter.default)} " if parameter.default not in (None, False, "", ()) else ""
    return default_text + (f"or ${parameter.envvar}" if parameter.envvar else "")


def build_page() -> str:
    parts = [INTRODUCTION]
    for name, command in list_commands():
        parts += [f"## {name}", format_docstring(command.help)]
        if list_options(command):
            rows = [
                (format_code(format_spelling(each)), _format_default(each), each.help or "")
                for each in list_options(command)
            ]
            parts.append(format_table(("argument or option", "default", "meaning"), rows))
    return "\n\n".join(parts)
