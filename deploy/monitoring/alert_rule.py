"""An alert, and the rule that Prometheus gets for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# Prometheus inserts the service's address into the links, from the external label `sandbox_url` of its configuration.
SERVICE_URL = '{{ or $externalLabels.sandbox_url "http://127.0.0.1:8080" }}'
RUNBOOKS = f"{SERVICE_URL}/guide/how-to/runbooks"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires when `expr` meets `condition` for `for_duration`. `expr` alone always has a value."""

    name: str
    severity: Literal["page", "ticket"]
    expr: str
    condition: str
    for_duration: str
    summary: str
    runbook: str

    @property
    def rule(self) -> dict[str, Any]:
        return {
            "alert": self.name,
            "expr": f"{self.expr} {self.condition}",
            "for": self.for_duration,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "runbook": self.runbook,
                "runbook_url": f"{RUNBOOKS}#{self.name.lower()}",
            },
        }
