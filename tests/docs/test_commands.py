"""Every `sandbox` command in docs, messages and runbooks is valid on the command line."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt

from deploy.monitoring.alerts import ALERTS
from sandbox import cli
from sandbox.config import ClientSettings, GpuSettings, UpSettings, WebhookSettings
from tests.docs.conftest import ROOT
from tests.docs.test_pages import PAGES

COMMAND = re.compile(r"(?:^|(?<=[\s;|&(/]))(?<!-n )(?<!namespace )sandbox(?: [^`|;&#<>\n]*)")
SETTINGS = {
    f"SANDBOX_{name.upper()}"
    for kind in (UpSettings, GpuSettings, WebhookSettings, ClientSettings)
    for name in kind.model_fields
}
# Variables that only tests and tools of this repository read.
TEST_ONLY_SETTINGS = re.compile(r"SANDBOX_(TEST_\w+|IMAGE|GPU_IMAGE|WORKER_HOME|ENGINE_UID|LISTEN)$")


def find_commands(text: str) -> Iterator[str]:
    """Return the commands in a text: lines of code, and text in backticks."""
    for found in COMMAND.finditer(text):
        yield found.group().strip()


def find_in_page(page: Path) -> Iterator[str]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type in {"fence", "code_block"} and token.info in {"", "sh", "bash", "console"}:
            for line in token.content.splitlines():
                yield from find_commands(line)
        for child in token.children or []:
            if child.type == "code_inline" and child.content.startswith("sandbox "):
                yield from find_commands(child.content)


def find_in_source(path: Path) -> Iterator[str]:
    """Return the commands in backticks in a module's strings, help texts and docstrings."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for content in re.findall(r"`(sandbox [a-z][^`]*)`", node.value):
                yield from find_commands(content)


def collect_commands() -> dict[str, str]:
    """Return every quoted command and the first place that quotes it."""
    found: dict[str, str] = {}
    for page in PAGES:
        for command in find_in_page(page):
            found.setdefault(command, page.relative_to(ROOT).as_posix())
    for path in sorted((ROOT / "sandbox").rglob("*.py")):
        for command in find_in_source(path):
            found.setdefault(command, path.relative_to(ROOT).as_posix())
    for alert in ALERTS:
        for content in re.findall(r"`(sandbox [^`]*)`", alert.runbook):
            found.setdefault(content, f"the runbook of {alert.name}")
    return found


@cache
def load_root_command() -> Any:
    return typer.main.get_command(cli.app)


def find_usage_error(arguments: list[str]) -> str:
    """Return the command line's usage error for these words. Ignores missing files and placeholders for numbers."""
    command, path = load_root_command(), "sandbox"
    while hasattr(command, "commands"):
        if not arguments or arguments[0].startswith("-"):
            return ""
        name, *arguments = arguments
        if name == "COMMAND":  # a placeholder for any command
            return ""
        if name not in command.commands:
            return f"{path} has no command {name!r}"
        command, path = command.commands[name], f"{path} {name}"
    context = command.context_class(command, info_name=path, **command.context_settings)
    try:
        command.make_parser(context).parse_args(args=arguments)
    except Exception as error:  # noqa: BLE001 - typer exports no base class of its usage errors
        return f"{path}: {error}"
    return ""


def test_the_check_finds_what_is_wrong() -> None:
    assert "no command 'imagine'" in find_usage_error(["images", "imagine"])
    assert find_usage_error(["images", "build", "--every"])
    assert find_usage_error(["images", "build", "jvm"]) == ""
    assert find_usage_error(["worker", "--redis", "URL"]) == ""


@pytest.mark.parametrize(("command", "where"), collect_commands().items(), ids=lambda value: str(value)[:60])
def test_a_quoted_command_is_taken(command: str, where: str) -> None:
    arguments = shlex.split(command.replace("...", "").rstrip("\\ "))[1:]
    assert find_usage_error(arguments) == "", f"{where} quotes `{command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_setting_that_a_page_names_is_one(page: Path) -> None:
    named = set(re.findall(r"\bSANDBOX_[A-Z][A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    assert {name for name in named - SETTINGS if not TEST_ONLY_SETTINGS.match(name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_tells_to_install_what_is_not_published(page: Path) -> None:
    """On the package index, the name `sandbox` belongs to another project, and this one is not published."""
    assert not re.search(r"pip install ['\"]?(verdict-)?sandbox\b", page.read_text(encoding="utf-8"))
