"""Write the chart."""

from __future__ import annotations

from deploy.helm.chart import FOLDER, generate_chart

for name, text in generate_chart().items():
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
