"""The page's files are complete, load nothing external, and contain nothing that could turn text into markup."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest

from sandbox.api.routes import web_ui

SCRIPTS = sorted(web_ui.FOLDER.glob("*.js"))
# Everything that turns text into markup or code, or starts requests outside the policy.
DANGEROUS = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval *\(|new Function|srcdoc|setHTML|DOMParser"
FILES = sorted(path for path in web_ui.FOLDER.iterdir() if path.suffix in web_ui.MEDIA_TYPES)
BUNDLE = web_ui.FOLDER / "codemirror.js"


async def test_the_page_lets_nothing_run_but_its_own_modules(http: httpx.AsyncClient) -> None:
    answer = await http.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=|javascript:", answer.text)


async def test_everything_it_names_is_served_and_is_our_own(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    named = set(re.findall(r'(?:src|href)="(web/[^"]+)"', page))
    for script in SCRIPTS:
        named |= {f"web/{name}" for name in re.findall(r'"\./([^"]+)"', script.read_text(encoding="utf-8"))}
    named |= set(re.findall(r'(?:src|href)="(web/[^"]+)"', (await http.get("/docs")).text))
    named |= set(re.findall(r'(?:src|href)="\.\./(web/[^"]+)"', (await http.get("/guide/index.md")).text))
    assert named
    for name in named:
        answer = await http.get(f"/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-security-policy"] == web_ui.CONTENT_SECURITY_POLICY
    assert {Path(name).name for name in named} | {"index.html"} == set(web_ui.load_files()), (
        "a file that nobody asks for"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_neither_asks_elsewhere_nor_turns_text_into_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text.replace("http://www.w3.org/2000/svg", ""))
    assert not re.findall(DANGEROUS, text)
    # The bundle has a style with an image in the style sheet itself, and a grammar with @import among its keywords.
    assert not re.findall(r"url\((?!'data:)" if path == BUNDLE else r"@import|url\(", text)


def test_the_editor_is_built_from_its_folder() -> None:
    """Compare digests, so that the check needs neither Node nor packages; `npm run build` writes them."""

    def compute_digest(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    folder = web_ui.FOLDER / "codemirror"
    names = ("build.js", "entry.js", "package-lock.json", "package.json")
    inputs = "".join(f"{name} {compute_digest((folder / name).read_bytes())}\n" for name in names)
    comment, code = BUNDLE.read_bytes().split(b" */\n", 1)
    found = dict(re.findall(r"(inputs|code) (\w{64})", comment.decode()))
    expected = {"inputs": compute_digest(inputs.encode()), "code": compute_digest(code)}
    assert found == expected, "run npm ci && npm run build in sandbox/web/codemirror"
    lock_text = (folder / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock_text, "the lock file names a registry"
    licenses = (web_ui.FOLDER / "codemirror-licenses.txt").read_text(encoding="utf-8")
    bundled = re.findall(r"^(@?[\w/-]+) ([\d.]+)\n\nMIT License", licenses, re.MULTILINE)
    assert len(bundled) > 10
    lock = json.loads(lock_text)
    assert all(lock["packages"][f"node_modules/{name}"]["version"] == version for name, version in bundled)


async def test_a_browser_that_has_a_file_is_not_sent_it_again(http: httpx.AsyncClient) -> None:
    first = await http.get("/web/style.css")
    again = await http.get("/web/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["nothing.js", "..%2fconfig.py", "%2e%2e/api/web.py", "index.html.bak"])
async def test_what_is_no_part_of_it_is_not_found(path: str, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/web/{path}")).status_code == 404
