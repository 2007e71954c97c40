"""The guide is consistent: links resolve, the index lists every page, and the README lists every package."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sandbox.api.guide_pages import build_anchor
from sandbox.languages import COMPILE_LIMITS
from sandbox.runner.contract import Limits, Status, Verdict
from sandbox.schema import LimitsRequest
from tests.docs.conftest import ROOT

DOCS = ROOT / "sandbox" / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("deploy/**/*.md"))]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def find_links(page: Path) -> list[str]:
    """Return the targets in this repository of a page's links and pictures."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or [] if child.type in {"link_open", "image"}]
    targets = [str(link.attrGet("href") or link.attrGet("src")) for link in inline]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@cache  # the REST page has hundreds of links to itself
def find_anchors(page: Path) -> set[str]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    pairs = pairwise(tokens)
    return {build_anchor(content.content) for opening, content in pairs if opening.type == "heading_open"}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in find_links(page):
        name, _, fragment = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.is_file(), f"{target}: there is no {linked.relative_to(ROOT)}"
        if fragment:
            assert fragment in find_anchors(linked), target


def test_links_of_the_guide_stay_in_the_guide() -> None:
    """Pages at /guide can only link to other pages of the guide."""
    for page in DOCS.rglob("*.md"):
        for target in find_links(page):
            assert (page.parent / target.partition("#")[0]).resolve().is_relative_to(DOCS), f"{page.name}: {target}"


def test_the_texts_to_troubleshoot_are_those_that_the_service_says() -> None:
    page = (DOCS / "how-to" / "troubleshoot.md").read_text(encoding="utf-8")
    tables = [page.split(f"## {heading}")[1].split("\n## ")[0] for heading in ("Error messages", "A service that")]
    texts = re.findall(r"^\| `([^`]+)`", "".join(tables), re.MULTILINE)
    assert len(texts) > 12
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "sandbox").rglob("*.py")))
    assert [text for text in texts if text not in source] == ["Extra inputs are not permitted"]  # pydantic says it


def test_the_index_names_every_page() -> None:
    named = {(DOCS / target.partition("#")[0]).resolve() for target in find_links(DOCS / "index.md")}
    assert named >= set(DOCS.rglob("*.md")) - {DOCS / "index.md"}


def test_the_readme_names_every_room() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    layout = re.search(r"^## Repository layout\n(.*?)^(?=\S)", readme, re.M | re.S)
    assert layout is not None
    package = ROOT / "sandbox"
    rooms = {f"{Path(name).parts[0]}/" for name in _list_files(package)} | {
        f"{Path(name).parts[0]}/" for name in _list_files(ROOT)
    }
    missing = [name for name in sorted(rooms) if not re.search(rf"(?<![\w/]){re.escape(name)}", layout[1])]
    assert not missing, f"the README's layout does not name {missing}"


def test_the_verdicts_page_has_every_verdict_and_status() -> None:
    text = (DOCS / "reference" / "verdicts.md").read_text(encoding="utf-8")
    for word in (*Status, *Verdict):
        assert f"`{word.value}`" in text


def test_the_limits_page_has_every_limit_its_default_and_its_most() -> None:
    text = (DOCS / "reference" / "limits.md").read_text(encoding="utf-8")
    for name, field in LimitsRequest.model_fields.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        _, _, default, most, *_ = (cell.strip() for cell in row.split("|"))
        defaults = COMPILE_LIMITS if name.startswith("compile_") else Limits()
        of_a_run = getattr(defaults, name.removeprefix("compile_"), None)
        assert default == "none" if of_a_run is None else float(default.partition(",")[0]) == of_a_run
        assert float(most) == next(rule.le for rule in field.metadata if hasattr(rule, "le"))


def _list_files(folder: Path) -> list[str]:
    """Return the files below `folder`, from git if available, so that build artifacts do not count."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    names = listed.stdout.split() if listed.returncode == 0 else []
    return [name for name in names if "/" in name and not name.startswith(".")]
