"""The reference pages of the guide, made from the code: `python -m tests.docs.reference` writes them."""

from __future__ import annotations

from pathlib import Path

import sandbox
from tests.docs.reference import (
    checkers_page,
    cli_page,
    client_page,
    metrics_page,
    redis_page,
    rest_page,
    settings_page,
)

FOLDER = Path(sandbox.__file__).parent / "docs" / "reference"
COMMAND = "python -m tests.docs.reference"
PAGES = {
    "checkers.md": checkers_page.page,
    "cli.md": cli_page.page,
    "client.md": client_page.page,
    "metrics.md": metrics_page.page,
    "redis.md": redis_page.page,
    "rest.md": rest_page.page,
    "settings.md": settings_page.page,
}


def made() -> dict[str, str]:
    """Every page's text as the code has it now."""
    return {name: f"{page().strip()}\n\n---\nMade from the code by `{COMMAND}`.\n" for name, page in PAGES.items()}
