"""Render the Markdown pages under `sandbox/docs` as HTML, with a header, a menu, a table of contents, and a search."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = Path(str(files("sandbox").joinpath("docs")))
FIRST_PAGE = "index.md"
MAX_SECTION_CHARS = 3_000  # the search ignores the rest of a section

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Sandbox</title>
<link rel="icon" href="{root}web/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{root}web/style.css">
<link rel="stylesheet" href="{root}web/guide.css">
<script type="module" src="{root}web/guide.js"></script>
</head>
<body class="guide" data-root="{root}">
<a class="skip" href="#content">Skip to content</a>
<header class="top">
  <a class="brand" href="{root}#playground"><img src="{root}web/icon.svg" alt="" width="24" height="24"> Sandbox</a>
  <nav aria-label="Views">
    <a href="{root}#playground">Playground</a>
    <a href="{root}#live">Live</a>
    <a href="{root}#runs">Runs</a>
    <a href="{root}#vote">Vote</a>
    <a href="{root}#batch">Batch</a>
  </nav>
  <div class="top-end">
    <a class="quiet" href="{root}guide/{first}" aria-current="page">Guide</a>
    <a class="quiet wide-only" href="{root}docs">REST</a>
    <button type="button" id="theme" class="icon-button" hidden></button>
  </div>
</header>
<div class="guide-columns">
<aside class="guide-menu">
<search id="search"></search>
<details open>
<summary>All pages</summary>
<nav aria-label="Guide">
{menu}</nav>
</details>
</aside>
<main id="content" tabindex="-1">
{body}{neighbors}</main>
{contents}</div>
</body>
</html>
"""


class Section(NamedTuple):
    """A part of a page, for the search. `anchor` is empty for the part before the first heading."""

    page: str
    title: str
    heading: str
    anchor: str
    text: str


class MenuEntry(NamedTuple):
    """A page in the menu. `group` is the heading above its link in the index."""

    group: str
    title: str
    page: str


@cache
def list_pages() -> frozenset[str]:
    """Return the paths of all pages. Other paths are never looked up on disk."""
    return frozenset(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md"))


@cache
def list_images() -> frozenset[str]:
    """Return the paths of the images that pages show."""
    return frozenset(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.svg"))


@cache
def list_menu() -> list[MenuEntry]:
    """Return the menu: the pages in the order in which the index links to them."""
    entries: dict[str, MenuEntry] = {}
    group = ""
    for line in (FOLDER / FIRST_PAGE).read_text(encoding="utf-8").replace("\n  ", " ").splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ")
        for title, page in re.findall(r"\[([^\]]+)\]\(([^)#:]+\.md)\)", line):
            entries.setdefault(page, MenuEntry(group, _capitalize(title), page))
    return list(entries.values())


def _capitalize(title: str) -> str:
    """Begin with a capital letter, except in names such as rLLM and ms-swift."""
    word = title.split()[0]
    return title[0].upper() + title[1:] if word.isalpha() and word.islower() else title


@cache
def render_page(page: str) -> str:
    """Render a page as an HTML document."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    below = "../" * page.count("/")
    return _TEMPLATE.format(
        title=escape(_read_title(text)),
        root=below + "../",
        first=FIRST_PAGE,
        menu=_render_menu(page, below),
        body=render_markdown(text),
        neighbors=_render_neighbors(page, below),
        contents=_render_contents(text),
    )


@cache
def list_sections() -> list[Section]:
    """Return the sections of all pages, for the search."""
    return [section for page in sorted(list_pages()) for section in _split(page)]


def render_markdown(text: str) -> str:
    """Render CommonMark with tables. HTML is escaped. Headings get the same anchors as on GitHub."""
    markdown, tokens = _parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", build_anchor(content.content))
        if opening.attrs.pop("style", None) == "text-align:right":  # the page's policy forbids inline styles
            opening.attrSet("class", "number")
    rendered: Any = markdown.renderer.render(tokens, markdown.options, {})
    # Elements that scroll must be reachable with the keyboard.
    html = str(rendered).replace("<pre>", '<pre tabindex="0">')
    return html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")


def build_anchor(heading: str) -> str:
    """Return a heading's anchor: `The way of a program` becomes `the-way-of-a-program`."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _parse(text: str) -> tuple[MarkdownIt, list[Token]]:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return markdown, markdown.parse(text)


def _read_title(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ")


def _render_menu(current: str, below: str) -> str:
    parts, group = [], None
    for entry in list_menu():
        if entry.group != group:
            parts.append(f"{'</ul>' if group is not None else ''}<p>{escape(entry.group)}</p><ul>\n")
            group = entry.group
        mark = ' aria-current="page"' if entry.page == current else ""
        parts.append(f'<li><a href="{below}{entry.page}"{mark}>{escape(entry.title)}</a></li>\n')
    return "".join(parts) + "</ul>\n"


def _render_neighbors(current: str, below: str) -> str:
    pages = [FIRST_PAGE, *(entry.page for entry in list_menu())]
    titles = {FIRST_PAGE: "Guide", **{entry.page: entry.title for entry in list_menu()}}
    if current not in pages:
        return ""
    index = pages.index(current)
    links = []
    for name, at in (("Previous", index - 1), ("Next", index + 1)):
        if 0 <= at < len(pages):
            href = f"{below}{pages[at]}"
            links.append(
                f'<a class="{name.lower()}" href="{href}"><small>{name}</small> {escape(titles[pages[at]])}</a>'
            )
    return f'<nav class="neighbors" aria-label="Neighboring pages">{"".join(links)}</nav>\n'


def _render_contents(text: str) -> str:
    headings = [
        content.content for opening, content in pairwise(_parse(text)[1]) if opening.tag == "h2" and content.content
    ]
    if len(headings) < 3:
        return ""
    items = "".join(
        f'<li><a href="#{build_anchor(each)}">{escape(each.replace("`", ""))}</a></li>' for each in headings
    )
    return f'<nav class="guide-contents" aria-label="On this page"><p>On this page</p><ul>{items}</ul></nav>\n'


def _split(page: str) -> list[Section]:
    text = (FOLDER / page).read_text(encoding="utf-8")
    title = _read_title(text)
    found: list[Section] = []
    heading, lines = "", list[str]()

    def close() -> None:
        words = " ".join(" ".join(lines).split())
        if words or heading:
            found.append(Section(page, title, heading, build_anchor(heading), words[:MAX_SECTION_CHARS]))
        lines.clear()

    is_code = False
    for line in text.splitlines()[1:]:
        is_code ^= line.startswith("```")
        if not is_code and re.match(r"#{2,4} ", line):
            close()
            heading = line.lstrip("# ")
        else:
            lines.append(line)
    close()
    return found
