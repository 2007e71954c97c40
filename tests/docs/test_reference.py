"""The reference pages match the code, and omit nothing that users can use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType

import pytest

from sandbox.docs.generate import (
    COMMAND,
    FOLDER,
    PAGES,
    checkers_page,
    cli_page,
    client_page,
    redis_page,
    rest_page,
    settings_page,
)
from sandbox.queue import redis_keys
from sandbox.telemetry.definitions import METRICS
from sandbox.verify.checkers import RULES


def read_page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def now() -> dict[str, str]:
    from sandbox.docs.generate import build_pages

    return build_pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_the_code_says(name: str, now: dict[str, str]) -> None:
    assert read_page(name) == now[name], f"{name} is out of date: run {COMMAND}"


def test_every_setting_is_there_and_says_what_it_means() -> None:
    for settings in settings_page.list_settings_classes():
        for name, field in settings_page.list_own_fields(settings).items():
            assert f"`{settings_page.format_variable(name)}`" in read_page("settings.md")
            assert field.description, f"{name} has no description"


def test_every_metric_is_there() -> None:
    for metric in METRICS:
        assert f"`{metric.name}`" in read_page("metrics.md")


def test_every_route_and_model_is_there() -> None:
    document = rest_page.build_document()
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"### {method.upper()} {path}\n" in read_page("rest.md")
    for model in document["components"]["schemas"]:
        assert f"### {model}\n" in read_page("rest.md")


def test_every_command_and_option_is_there_and_says_what_it_does() -> None:
    for name, command in cli_page.list_commands():
        assert f"## {name}\n" in read_page("cli.md")
        assert command.help, name
        for option in cli_page.list_options(command):
            assert f"`{cli_page.format_spelling(option)}`" in read_page("cli.md")
            assert option.help, f"{name} {option.name} has no help"


def test_both_clients_have_the_same_methods_and_every_one_is_there() -> None:
    from sandbox.client import AsyncClient, Client

    names = [name for name, _, _ in client_page.list_methods(Client)]
    assert names == [name for name, _, _ in client_page.list_methods(AsyncClient)]
    for name in names:
        assert f"\n### {name}\n" in read_page("client.md")
        assert read_page("client.md").count(f"| `{name}(") == 1


def test_every_checker_is_there() -> None:
    assert set(checkers_page.list_checkers()) >= set(RULES)
    for kind in checkers_page.list_checkers():
        assert f"## {kind}\n" in read_page("checkers.md")


def test_every_redis_key_is_there() -> None:
    documented = {key.partition("<")[0] for key, *_ in redis_page.parse_rows()}
    built = {
        _compute_prefix(function) for name, function in vars(redis_keys).items() if _is_key_builder(name, function)
    }
    constants = {
        value
        for name, value in vars(redis_keys).items()
        if isinstance(value, str) and value.startswith(redis_keys.PREFIX)
    }
    assert documented == {
        key for key in built | constants if key.startswith(redis_keys.PREFIX) and key != redis_keys.PREFIX
    }


def _is_key_builder(name: str, function: object) -> bool:
    return (
        isinstance(function, FunctionType) and function.__module__ == redis_keys.__name__ and not name.startswith("_")
    )


def _compute_prefix(function: Callable[..., str]) -> str:
    return function(*["<" for _ in inspect.signature(function).parameters]).partition("<")[0]
