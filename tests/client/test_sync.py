"""The blocking client is the asyncio client without `await`."""

from __future__ import annotations

from tests.client import generate_sync


def test_the_blocking_client_is_generated_from_the_async_client() -> None:
    text = generate_sync.TARGET.read_text(encoding="utf-8")
    assert text == generate_sync.generate(), f"sync.py is out of date: run {generate_sync.COMMAND}"
