"""The blocking client is the asyncio client without `await`."""

from __future__ import annotations

from tests.client import generate_sync


def test_the_blocking_client_is_generated_from_the_async_client() -> None:
    for path, text in generate_sync.generate().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run {generate_sync.COMMAND}"
