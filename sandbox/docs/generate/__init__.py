"""The guide's reference pages, generated from the code. Run `python -m sandbox.docs.generate` to write them."""

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
    """Return the text of each page by its file name."""
    return {name: f"{page().strip()}\n\n---\nGenerated from the code by `{COMMAND}`.\n" for name, page in PAGES.items()}
