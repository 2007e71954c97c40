"""`/guide` serves every page as HTML without external resources."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import httpx
import pytest

from sandbox.api.routes import guide


async def test_it_begins_with_the_index(http: httpx.AsyncClient) -> None:
    for path in ("/guide", "/guide/"):
        answer = await http.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.url.path == "/guide/index.md"
        assert "<h1" in answer.text


async def test_a_proxys_path_is_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/guide")
    assert urljoin("https://host/sandbox/guide", answer.headers["location"]) == "https://host/sandbox/guide/index.md"


@pytest.mark.parametrize("page", sorted(guide.list_pages()))
async def test_a_page_and_all_it_links_to_are_served(page: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/guide/{page}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<(script|link|img|iframe)\b|\bsrc=|url\(", answer.text)
    for link in set(re.findall(r'href="([^"#:]+)["#]', answer.text)):  # links with a colon are external
        assert (await http.get(urljoin(str(answer.url), link))).status_code == 200, link


@pytest.mark.parametrize(
    "path", ["nothing.md", "../config.py", "%2e%2e/config.py", "/etc/passwd", "__init__.py", "reference"]
)
async def test_what_is_no_page_is_not_found(path: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/guide/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_html_in_a_page_is_text() -> None:
    assert "<script>" not in guide._render_markdown("a <script>alert(1)</script> [x](javascript:alert(1))")
    assert 'href="javascript' not in guide._render_markdown("[x](javascript:alert(1))")


def test_headings_have_anchors_and_tables_are_tables() -> None:
    html = guide._render_markdown("## The `way` of it\n\n| a | b |\n| --- | --- |\n| `x|y` | `x\\|y` |\n")
    assert '<h2 id="the-way-of-it">' in html
    assert "<table>" in html
