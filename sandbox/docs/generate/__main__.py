"""Write the reference pages."""

from __future__ import annotations

from sandbox.docs.generate import FOLDER, build_pages

FOLDER.mkdir(exist_ok=True)
for name, text in build_pages().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
