"""Every alert: its Prometheus query, the condition and duration that make it fire, and its runbook.

The runbooks are also the guide's page `sandbox/docs/how-to/runbooks.md`.
"""

from __future__ import annotations

from typing import Any

from deploy.monitoring import objectives, queries
from deploy.monitoring.alert_rule import Alert

WINDOW = "5m"


def _set_window(expr: str) -> str:
    """Replace Grafana's rate interval in a panel's query, and add parentheses because a comparison follows."""
    return f"({expr.replace(queries.RATE, WINDOW)})"


ALERTS = (
    Alert(
        "SandboxTargetDown",
        "page",
        'up{job="sandbox"}',
        "== 0",
        "1m",
        "Prometheus gets no response from {{ $labels.instance }}.",
        "Run `sandbox doctor` and read the log on that host. If the service is not running, start it with"
        " `sandbox up --detach`.",
    ),
    Alert(
        "SandboxNotReady",
        "page",
        "max(sandbox_ready)",
        "< 1",
        "1m",
        "The service runs no submissions: no worker is alive, no worker can start a box, or Redis does not respond.",
        "`curl /health/ready` shows the cause. Start workers with `sandbox worker`, start Redis, or see"
        " SandboxNoBoxStarts. Until then, clients that wait get 503, and durable submissions stay in the queue.",
    ),
    Alert(
        "SandboxNoBoxStarts",
        "page",
        "max(sandbox_waiting_for_box_seconds or vector(0))",
        "> 30",
        "0m",
        "A worker has been waiting for a box for more than half a minute.",
        "`problems` in `/health/ready` contains the worker, the image and the cause. If the engine does not respond,"
        " restart it. If an image is missing, run `sandbox images build`. If the engine does not know the runtime,"
        " register it or unset SANDBOX_DOCKER_RUNTIME. Then run `sandbox doctor` on that host, which runs a real"
        " program. Workers keep trying, so you do not have to restart anything else.",
    ),
    Alert(
        "SandboxSlotsDead",
        "ticket",
        'sum by (instance) (sandbox_slots{state="dead"})',
        "> 0",
        "2m",
        "{{ $value }} slots on {{ $labels.instance }} have no process.",
        "Their processes exit faster than they are restarted. The end of `log/worker-N.log` in the home shows why.",
    ),
    Alert(
        "SandboxQueueOld",
        "page",
        'max by (lane) (sandbox_queue_oldest_seconds{lane!="bulk"})',
        "> 60",
        "5m",
        "Submissions in the lane {{ $labels.lane }} wait for more than a minute.",
        "More programs arrive than the workers can run. Add slots or hosts, or ask clients to send bulk work with"
        " priority bulk.",
    ),
    Alert(
        "SandboxSaturated",
        "ticket",
        _set_window(queries.SATURATION),
        "> 0.95",
        "30m",
        "All slots have been busy for half an hour.",
        "If a host has free cores, add slots (SANDBOX_SLOTS). Otherwise add hosts: `sandbox worker --redis URL`.",
    ),
    Alert(
        "SandboxRefusals",
        "ticket",
        f'sum(rate(sandbox_submissions_refused_total{{reason="QueueFull"}}[{WINDOW}]) or vector(0))',
        "> 0",
        "5m",
        "The service refuses submissions because the queue is full.",
        "The responses ask clients to retry later. If this continues, add workers, or raise SANDBOX_MAX_QUEUED if"
        " memory allows.",
    ),
    Alert(
        "SandboxRedisAppendOnlyFails",
        "page",
        'max(sandbox_redis_append_only{state="failing"})',
        "> 0",
        "1m",
        "Redis cannot write its append-only file. If Redis stops now, accepted jobs are lost.",
        "`INFO persistence` of that Redis shows whether writing or rewriting failed, and its log shows why. Usually the"
        " disk is full: free some space there. Redis retries by itself.",
    ),
    Alert(
        "SandboxDiskFull",
        "ticket",
        'min by (instance, place) (sandbox_disk_bytes{state="free"} / ignoring(state)'
        ' sandbox_disk_bytes{state="total"})',
        "< 0.1",
        "10m",
        "Less than a tenth of the disk of {{ $labels.place }} on {{ $labels.instance }} is free.",
        "`home` is the file system of SANDBOX_HOME: remove old logs, and old models in `gpu/`. `engine` is that of the"
        " Docker engine's data: run `sandbox images prune`, then `docker system df` to see what else is there.",
    ),
    Alert(
        "SandboxInfrastructureFailures",
        "ticket",
        f"sum by (reason) (rate(sandbox_infrastructure_failures_total[{WINDOW}]))",
        "> 0.1",
        "10m",
        "Runs fail because of the service, not the programs. Reason: {{ $labels.reason }}.",
        "The log has a line `box failed` with the reason for each failure. EngineUnavailable means that Docker does not"
        " respond: run `sandbox doctor`.",
    ),
    Alert(
        "SandboxInternalErrors",
        "page",
        _set_window(queries.INTERNAL_ERRORS),
        "> 0.001",
        "10m",
        "More than one result in a thousand is internal_error.",
        "Retries do not help. Run `sandbox logs ID` for one of these submissions to see each attempt and its reason.",
    ),
    Alert(
        "SandboxBoxesBreak",
        "ticket",
        f'sum(rate(sandbox_boxes_destroyed_total{{reason="broken"}}[{WINDOW}]) or vector(0))',
        "> 0.05",
        "10m",
        "More than three boxes break per minute.",
        "A program that attacks its box breaks one box per run. The log lines `box failed` name its submissions.",
    ),
    Alert(
        "SandboxServerErrors",
        "page",
        _set_window(queries.SERVER_ERRORS),
        "> 0.01",
        "5m",
        "More than one response in a hundred is a server error.",
        "The log has a traceback with the request id for each of them.",
    ),
    Alert(
        "SandboxSessionHostGone",
        "page",
        "max(max_over_time(sandbox_session_hosts[30m])) - max(sandbox_session_hosts)",
        "> 0",
        "2m",
        "A session host has stopped sending heartbeats and has not come back.",
        "Calls of its sessions get 410, and sessions with `replay` continue on another host. Look at the log of"
        " `sandbox session-host` on that host, run `sandbox doctor` there, and start it again with the same"
        " SANDBOX_SESSIONS. If you drained or removed the host, ignore this alert; it ends after half an hour.",
    ),
    Alert(
        "SandboxSessionsLost",
        "ticket",
        _set_window(queries.LOST_SESSIONS),
        "> 0.2",
        "15m",
        "More than one session in five ends because it is lost.",
        "A session is lost if its interpreter is killed, if it runs out of memory, or if its host or box dies. The"
        " `reason` of a lost session in `GET /sessions/{id}` and the host's log say which. If the code of the sessions"
        " is the cause, raise `limits.memory_mb` or the time limit of the calls. Otherwise run `sandbox doctor`.",
    ),
    Alert(
        "SandboxSessionsFull",
        "ticket",
        f'sum(rate(sandbox_http_requests_total{{route="/sessions",status="503"}}[{WINDOW}]) or vector(0))',
        "> 0",
        "10m",
        "Requests for a session are refused because all places are taken.",
        "Clients get 503 with `Retry-After`. Raise SANDBOX_SESSIONS if the host has memory, or add a session host:"
        " `sandbox session-host --sessions N --redis URL`. Clients that do not close their sessions keep the places"
        " until `idle_ttl_s` is over. If no host is alive, see SandboxSessionHostGone.",
    ),
    Alert(
        "SandboxWebhooksDead",
        "ticket",
        'sum(increase(sandbox_webhooks_total{outcome="dead"}[15m]) or vector(0))',
        "> 0",
        "0m",
        "Some webhooks failed on every attempt and are no longer retried.",
        "The log shows the receivers and the reasons. Clients can fetch the results from /jobs until they expire.",
    ),
    Alert(
        "SandboxWebhooksWait",
        "ticket",
        "max(sandbox_webhooks_waiting or vector(0))",
        "> 1000",
        "15m",
        "More than a thousand webhooks are waiting.",
        "Receivers are slow or down. Look at the panel Webhook attempts, and at the receivers.",
    ),
    Alert(
        "SandboxGroupsTeachNothing",
        "ticket",
        _set_window(queries.MIXED),
        "< 0.05",
        "1h",
        "Fewer than one group of completions in twenty has both passes and failures: the model learns almost nothing.",
        "If all completions pass, use harder tasks. If all fail, use easier ones, or check the tests and the language.",
    ),
    Alert(
        "SandboxVerdictsHoldUpGpus",
        "ticket",
        _set_window(queries.VERDICT_WAIT),
        "> 0.05",
        "15m",
        "GPUs wait for verdicts during more than 5 % of a step.",
        "Give the lane rl more slots: add workers, or send other work with priority bulk.",
    ),
    Alert(
        "SandboxGpuJobsFail",
        "ticket",
        'sum(increase(sandbox_gpu_jobs_total{status="failed"}[30m]) or vector(0))',
        "> 0",
        "0m",
        "A GPU job failed.",
        "`sandbox jobs ID` shows the error. The job's output is in `gpu/jobs/ID/log.txt` in the worker's home.",
    ),
    *objectives.ALERTS,
)


def build_rules() -> dict[str, Any]:
    """Return the rule file (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/).

    Prometheus evaluates the rules of a group in order, so the alerts see the values just recorded.
    """
    rules = [*objectives.build_recording_rules(), *(alert.rule for alert in ALERTS)]
    return {"groups": [{"name": "sandbox", "rules": rules}]}
