"""The reference pages of the guide, made from the code: `python -m sandbox.docs.generate` writes them."""

from __future__ import annotations

from pathlib import Path

import sandbox
from sandbox.docs.generate import (
    checkers_page,
    cli_page,
    client_page,
    metrics_page,
    redis_page,
    rest_page,
    settings_page,
)

FOLDER = Path(sandbox.__file__).parent / "docs" / "reference"
COMMAND = "python -m sandbox.docs.generate"
PAGES = {
    "checkers.md": checkers_page.build_page,
    "cli.md": cli_page.build_page,
    "client.md": client_page.build_page,
    "metrics.md": metrics_page.build_page,
    "redis.md": redis_page.build_page,
    "rest.md": rest_page.build_page,
    "settings.md": settings_page.build_page,
}


def build_pages() -> dict[str, str]:
    """Every page's text as the code has it now."""
    return {name: f"{page().strip()}\n\n---\nMade from the code by `{COMMAND}`.\n" for name, page in PAGES.items()}
