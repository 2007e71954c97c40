"""All files that are generated from panels and alerts, by their path in the repository."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.monitoring.alerts import ALERTS, build_rules
from tests.monitoring.dashboards import render_dashboard
from tests.monitoring.panels import DASHBOARDS

ROOT = Path(__file__).resolve().parents[2]
GENERATED_NOTE = "# Made by `python -m tests.monitoring`.\n"

RUNBOOKS_HEADING = """# Runbooks

What to do when one of the alerts of `deploy/prometheus/rules.yml` fires. The panels named here are in Grafana's
dashboards below `deploy/grafana`; each alert links to its entry.
"""


def generate_files() -> dict[str, str]:
    """Return the content of each file by its path from the root."""
    boards = {f"deploy/grafana/dashboards/{board.uid}.json": render_dashboard(board) for board in DASHBOARDS}
    return {
        **boards,
        "deploy/prometheus/rules.yml": GENERATED_NOTE + yaml.safe_dump(build_rules(), sort_keys=False, width=1_000),
        "sandbox/docs/how-to/runbooks.md": _render_runbooks(),
    }


def _render_runbooks() -> str:
    entries = [
        f"## {alert.name}\n\n{_remove_template_variables(alert.summary)}\n\n{alert.runbook}\n\n"
        f"```promql\n{alert.expr} {alert.condition}\n```\n\n"
        f"for {alert.for_duration}; {'wakes somebody' if alert.severity == 'page' else 'can wait for the morning'}"
        for alert in ALERTS
    ]
    return "\n".join(
        [RUNBOOKS_HEADING, "\n\n".join(entries), "", "---", "Made from the code by `python -m tests.monitoring`.", ""]
    )


def _remove_template_variables(text: str) -> str:
    """Remove Prometheus' template variables."""
    for variable, word in (
        ("{{ $labels.instance }}", "a host"),
        ("{{ $labels.lane }}", "rl or default"),
        ("{{ $labels.reason }}", "see its reason"),
        ("{{ $value }} slots", "Slots"),
    ):
        text = text.replace(variable, word)
    return text[0].upper() + text[1:]
