"""Every file that is made from the panels and alerts, by its place in the repository."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.monitoring.alerts import ALERTS, rules
from tests.monitoring.dashboards import dashboard_json
from tests.monitoring.panels import BOARDS

ROOT = Path(__file__).resolve().parents[2]
NOTE = "# Made by `python -m tests.monitoring`.\n"

RUNBOOKS = """# Runbooks

What to do when one of the alerts of `deploy/prometheus/rules.yml` fires. The panels named here are in Grafana's
dashboards below `deploy/grafana`; each alert links to its entry.
"""


def made() -> dict[str, str]:
    """Path from the root, and content."""
    boards = {f"deploy/grafana/dashboards/{board.uid}.json": dashboard_json(board) for board in BOARDS}
    return {
        **boards,
        "deploy/prometheus/rules.yml": NOTE + yaml.safe_dump(rules(), sort_keys=False, width=1_000),
        "sandbox/docs/how-to/runbooks.md": _runbooks(),
    }


def _runbooks() -> str:
    entries = [
        f"## {alert.name}\n\n{_plain(alert.summary)}\n\n{alert.runbook}\n\n"
        f"```promql\n{alert.expr} {alert.condition}\n```\n\n"
        f"for {alert.lasting}; {'wakes somebody' if alert.severity == 'page' else 'can wait for the morning'}"
        for alert in ALERTS
    ]
    return "\n".join(
        [RUNBOOKS, "\n\n".join(entries), "", "---", "Made from the code by `python -m tests.monitoring`.", ""]
    )


def _plain(text: str) -> str:
    """Without Prometheus' template variables."""
    for variable, word in (
        ("{{ $labels.instance }}", "a host"),
        ("{{ $labels.lane }}", "rl or default"),
        ("{{ $labels.reason }}", "see its reason"),
        ("{{ $value }} slots", "Slots"),
    ):
        text = text.replace(variable, word)
    return text[0].upper() + text[1:]
