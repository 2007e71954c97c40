"""The guide shows every method of the client."""

from __future__ import annotations

import inspect
import re

import pytest

from sandbox.client import Client
from tests.docs.conftest import ROOT

PAGES = [page for page in (ROOT / "sandbox" / "docs").rglob("*.md") if page.parent.name != "reference"]
METHODS = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_shown_in_the_guide(method: str) -> None:
    shown = [page.name for page in PAGES if re.search(rf"\bclient\.{method}\(", page.read_text(encoding="utf-8"))]
    assert shown, f"no page of the guide calls client.{method}(...)"
