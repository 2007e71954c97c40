"""Write the generated files."""

from __future__ import annotations

from tests.monitoring.generated_files import ROOT, generate_files

for name, text in generate_files().items():
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
