"""`/guide` serves every page as HTML without external resources."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import httpx
import pytest

from sandbox.api import guide_pages


async def test_it_begins_with_the_index(http: httpx.AsyncClient) -> None:
    for path in ("/guide", "/guide/"):
        answer = await http.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.url.path == "/guide/index.md"
        assert "<h1" in answer.text


async def test_a_proxys_path_is_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/guide")
    assert urljoin("https://host/sandbox/guide", answer.headers["location"]) == "https://host/sandbox/guide/index.md"


@pytest.mark.parametrize("page", sorted(guide_pages.list_pages()))
async def test_a_page_and_all_it_links_to_are_served(page: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/guide/{page}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<iframe\b|url\(|<script>|<style|<[^>]*\sstyle=", answer.text)
    for link in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', answer.text):
        assert re.fullmatch(r"(\.\./)+web/[\w.]+|[\w-]+\.svg", link), link
    for link in set(re.findall(r'(?:href|src)="([^"#:]+)["#]', answer.text)):  # links with a colon are external
        assert (await http.get(urljoin(str(answer.url), link))).status_code == 200, link


async def test_images_may_have_styles_but_load_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/guide/terminal.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize(
    "path", ["nothing.md", "../config.py", "%2e%2e/config.py", "/etc/passwd", "__init__.py", "reference"]
)
async def test_what_is_no_page_is_not_found(path: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/guide/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_html_in_a_page_is_text() -> None:
    assert "<script>" not in guide_pages.render_markdown("a <script>alert(1)</script> [x](javascript:alert(1))")
    assert 'href="javascript' not in guide_pages.render_markdown("[x](javascript:alert(1))")


def test_headings_have_anchors_and_tables_are_tables() -> None:
    html = guide_pages.render_markdown("## The `way` of it\n\n| a | b |\n| --- | --- |\n| `x|y` | `x\\|y` |\n")
    assert '<h2 id="the-way-of-it">' in html
    assert "<table>" in html
    assert '<td class="number">7</td>' in guide_pages.render_markdown("| a |\n| ---: |\n| 7 |\n")


async def test_the_menu_has_every_page_and_marks_the_current_one(http: httpx.AsyncClient) -> None:
    menu = [entry.page for entry in guide_pages.list_menu()]
    assert set(menu) | {guide_pages.FIRST_PAGE} == guide_pages.list_pages()
    titles = {entry.title for entry in guide_pages.list_menu()}
    assert {"Judge programs", "rLLM", "ms-swift", "Command line", "Runbooks for alerts"} <= titles
    text = (await http.get("/guide/how-to/judge.md")).text
    assert text.count('aria-current="page"') == 2  # the guide in the header, and the page in the menu
    assert '<a href="../how-to/judge.md" aria-current="page">' in text
    before, after = (menu[menu.index("how-to/judge.md") + step] for step in (-1, 1))
    assert re.search(
        rf'class="previous" href="../{re.escape(before)}".*class="next" href="../{re.escape(after)}"', text
    )
    assert re.search(r'aria-label="On this page".*<a href="#[\w-]+">', text)


async def test_the_search_knows_each_section_by_an_anchor_of_its_page(http: httpx.AsyncClient) -> None:
    sections = (await http.get("/guide/search.json")).json()
    assert {section["page"] for section in sections} == guide_pages.list_pages()
    for section in sections:
        if section["anchor"]:
            assert f'id="{section["anchor"]}"' in guide_pages.render_page(section["page"]), section
    assert any("Retry-After" in section["text"] for section in sections)
