"""Write the pages."""

from __future__ import annotations

from tests.docs.reference import FOLDER, made

FOLDER.mkdir(exist_ok=True)
for name, text in made().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
