"""Every alert: what it asks Prometheus, from which value on it is one, for how long, and what to do about it.

What to do is the runbook's line, which stands in the guide too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deploy.monitoring import panels

# Prometheus puts the service's address into the links: the external label `sandbox_url` of its configuration.
SERVICE_URL = '{{ or $externalLabels.sandbox_url "http://127.0.0.1:8080" }}'
RUNBOOKS = f"{SERVICE_URL}/guide/how-to/runbooks"
WINDOW = "5m"


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires while `expr` compared by `condition` holds for `lasting`. `expr` alone always has a value."""

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


def _set_window(expr: str) -> str:
    """A panel's query with a window that no picture's width decides; in brackets, for a comparison follows."""
    return f"({expr.replace(panels.RATE, WINDOW)})"


ALERTS = (
    Alert(
        "SandboxTargetDown",
        "page",
        'up{job="sandbox"}',
        "== 0",
        "1m",
        "{{ $labels.instance }} does not answer Prometheus.",
        "Look at `sandbox doctor` and the log on that host; `sandbox up --detach` starts what has ended.",
    ),
    Alert(
        "SandboxNotReady",
        "page",
        "max(sandbox_ready)",
        "< 1",
        "1m",
        "Submissions are not served: no worker is alive, none can start a box, or Redis does not answer.",
        "`curl /health/ready` says which of them; start workers with `sandbox worker`, or Redis, or see"
        " SandboxNoBoxStarts. Clients that wait get 503 meanwhile; durable submissions stay in the queue.",
    ),
    Alert(
        "SandboxNoBoxStarts",
        "page",
        "max(sandbox_waiting_for_box_seconds or vector(0))",
        "> 30",
        "0m",
        "A worker has been waiting for a box for more than half a minute.",
        "`problems` of `/health/ready` name the worker, the image and why. If the engine does not answer, restart it;"
        " if an image is missing, run `sandbox images build`; if the engine does not know the runtime, register it or"
        " unset SANDBOX_DOCKER_RUNTIME. Then `sandbox doctor` on that host runs a real program. Workers keep trying,"
        " so nothing else has to be restarted.",
    ),
    Alert(
        "SandboxSlotsDead",
        "ticket",
        'sum by (instance) (sandbox_slots{state="dead"})',
        "> 0",
        "2m",
        "{{ $value }} slots on {{ $labels.instance }} have no process.",
        "Their processes end faster than they are started again: the end of `log/worker-N.log` in the home says why.",
    ),
    Alert(
        "SandboxQueueOld",
        "page",
        'max by (lane) (sandbox_queue_oldest_seconds{lane!="bulk"})',
        "> 60",
        "5m",
        "Submissions in the lane {{ $labels.lane }} wait for more than a minute.",
        "More comes in than the workers can do: add slots or hosts, or have bulk work sent with priority bulk.",
    ),
    Alert(
        "SandboxSaturated",
        "ticket",
        _set_window(panels.SATURATION),
        "> 0.95",
        "30m",
        "All slots have been busy for half an hour.",
        "Add slots where cores are free (SANDBOX_SLOTS), else hosts: `sandbox worker --redis URL`.",
    ),
    Alert(
        "SandboxRefusals",
        "ticket",
        f'sum(rate(sandbox_submissions_refused_total{{reason="QueueFull"}}[{WINDOW}]) or vector(0))',
        "> 0",
        "5m",
        "Submissions are refused because the queue is full.",
        "Clients are told to come back; if it goes on, add workers, or raise SANDBOX_MAX_QUEUED if memory allows.",
    ),
    Alert(
        "SandboxInfrastructureFailures",
        "ticket",
        f"sum by (reason) (rate(sandbox_infrastructure_failures_total[{WINDOW}]))",
        "> 0.1",
        "10m",
        "Runs fail by our own doing: {{ $labels.reason }}.",
        "The log has a line `box failed` for each, with the reason; EngineUnavailable is Docker's: `sandbox doctor`.",
    ),
    Alert(
        "SandboxInternalErrors",
        "page",
        _set_window(panels.INTERNAL_ERRORS),
        "> 0.001",
        "10m",
        "More than one result in a thousand is internal_error.",
        "Retries do not cure it: `sandbox logs ID` of such a submission shows every try and its reason.",
    ),
    Alert(
        "SandboxBoxesBreak",
        "ticket",
        f'sum(rate(sandbox_boxes_destroyed_total{{reason="broken"}}[{WINDOW}]) or vector(0))',
        "> 0.05",
        "10m",
        "Boxes break: more than three a minute.",
        "A program that attacks its box breaks it once a run; find its submissions in the log by the box's failures.",
    ),
    Alert(
        "SandboxServerErrors",
        "page",
        _set_window(panels.SERVER_ERRORS),
        "> 0.01",
        "5m",
        "More than one answer in a hundred is a server error.",
        "The log has a traceback for each, with its request id.",
    ),
    Alert(
        "SandboxWebhooksDead",
        "ticket",
        'sum(increase(sandbox_webhooks_total{outcome="dead"}[15m]) or vector(0))',
        "> 0",
        "0m",
        "Webhooks were given up after all tries.",
        "The log says which receiver and why; results can still be fetched from /jobs until they expire.",
    ),
    Alert(
        "SandboxWebhooksWait",
        "ticket",
        "max(sandbox_webhooks_waiting or vector(0))",
        "> 1000",
        "15m",
        "Over a thousand webhooks wait.",
        "Receivers are slow or down: look at the panel of tries by outcome, and at the receivers.",
    ),
    Alert(
        "SandboxGroupsTeachNothing",
        "ticket",
        _set_window(panels.MIXED),
        "< 0.05",
        "1h",
        "Fewer than one group of completions in twenty is mixed, so there is next to no advantage to learn from.",
        "All pass: harder tasks. All fail: easier ones, or look at whether the tests and the language are right.",
    ),
    Alert(
        "SandboxVerdictsHoldUpGpus",
        "ticket",
        _set_window(panels.VERDICT_WAIT),
        "> 0.05",
        "15m",
        "GPUs wait for verdicts for more than 5 % of a step.",
        "Give the lane rl more slots: add workers, or send other work with priority bulk.",
    ),
    Alert(
        "SandboxGpuJobsFail",
        "ticket",
        'sum(increase(sandbox_gpu_jobs_total{status="failed"}[30m]) or vector(0))',
        "> 0",
        "0m",
        "A GPU job failed.",
        "`sandbox jobs ID` says why; what it printed is in `gpu/jobs/ID/log.txt` of the worker's home.",
    ),
)


def build_rules() -> dict[str, Any]:
    """The rule file (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/)."""
    return {"groups": [{"name": "sandbox", "rules": [alert.rule for alert in ALERTS]}]}
