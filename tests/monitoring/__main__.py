"""Write the files."""

from __future__ import annotations

from tests.monitoring.made import ROOT, made

for name, text in made().items():
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
