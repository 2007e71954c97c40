"""`/guide`: the Markdown pages under `sandbox/docs` as plain HTML. They load nothing from other servers."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse, RedirectResponse

router = APIRouter(include_in_schema=False)

FOLDER = Path(str(files("sandbox").joinpath("docs")))
FIRST_PAGE = "index.md"
# Allows no scripts and no external resources, whatever a page contains.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}

_PAGE_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 52rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
pre, table {{ display: block; overflow-x: auto; }}
pre, code {{ font: 0.875rem/1.4 ui-monospace, monospace; }}
pre {{ padding: 0.75rem; border: 1px solid #8886; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.25rem 0.6rem; border: 1px solid #8886; text-align: left; vertical-align: top; }}
</style>
</head>
<body>
<nav aria-label="Guide"><a href="{home}">Guide</a></nav>
<main>
{body}</main>
</body>
</html>
"""


@router.get("/guide")
async def guide(request: Request) -> Response:
    """Redirect to the first page. The address is relative, so that it also works below a path of a proxy."""
    return RedirectResponse(f"guide/{FIRST_PAGE}")


@router.get("/guide/{page:path}")
async def guide_page(request: Request, page: str) -> Response:
    """Return a page by its path below `sandbox/docs`; the suffix `.md` may be left out."""
    if not page:
        return RedirectResponse(FIRST_PAGE)
    page = page if page in list_pages() else f"{page}.md"
    if page not in list_pages():
        raise HTTPException(404, "no such page of the guide; see /guide for all pages")
    return HTMLResponse(render_page(page), headers=HEADERS)


@cache
def list_pages() -> frozenset[str]:
    """Return the paths of all pages. Other paths are never looked up on disk."""
    return frozenset(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md"))


@cache
def render_page(page: str) -> str:
    """Render a page as an HTML document."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    title = text.partition("\n")[0].lstrip("# ")
    home = "../" * page.count("/") + FIRST_PAGE
    return _PAGE_TEMPLATE.format(title=escape(title), home=home, body=_render_markdown(text))


def _render_markdown(text: str) -> str:
    """Render CommonMark with tables. HTML is escaped. Headings get the same anchors as on code forges."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", build_anchor(content.content))
    html: Any = markdown.renderer.render(tokens, markdown.options, {})
    return str(html)


def build_anchor(heading: str) -> str:
    """Return a heading's anchor: `The way of a program` becomes `the-way-of-a-program`."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
