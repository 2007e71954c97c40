"""The dashboard of reliability: whether it works, and what fails."""

from __future__ import annotations

from deploy.monitoring.panels import Dashboard, Panel
from deploy.monitoring.queries import INTERNAL_ERRORS, RATE, SERVER_ERRORS, quantile, rate

RELIABILITY = Dashboard(
    "sandbox-reliability",
    "Sandbox: Reliability",
    (
        (
            "Now",
            (
                Panel("Ready", "short", "1 if the service can run programs.", (("max(sandbox_ready)", ""),), "number"),
                Panel("Workers", "short", "Live workers on all hosts.", (("max(sandbox_workers)", ""),), "number"),
                Panel(
                    "Longest wait for a box",
                    "s",
                    "How long a worker has been waiting for a box to start. Above 30 s, an alert fires.",
                    (("max(sandbox_waiting_for_box_seconds)", ""),),
                    "number",
                ),
                Panel(
                    "Dead slots",
                    "short",
                    "Slots whose process exited and has not been restarted yet.",
                    (('sum(sandbox_slots{state="dead"})', ""),),
                    "number",
                ),
            ),
        ),
        (
            "Failures of the service",
            (
                Panel(
                    "Infrastructure failures",
                    "ops",
                    "Runs that failed because of the service, by reason.",
                    ((rate("infrastructure_failures_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Retries",
                    "ops",
                    "Runs repeated after a failure. If every failure is repeated, clients do not notice.",
                    ((rate("infrastructure_retries_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Verdict internal_error",
                    "percentunit",
                    "Fraction of the results with the verdict internal_error, which retries did not fix.",
                    ((INTERNAL_ERRORS, "internal_error"),),
                ),
            ),
        ),
        (
            "Boxes",
            (
                Panel(
                    "Boxes started",
                    "ops",
                    "New boxes per second, by image.",
                    ((rate("boxes_created_total", "image"), "{{image}}"),),
                ),
                Panel(
                    "Boxes recycled",
                    "ops",
                    "Boxes replaced as planned per second, by reason.",
                    ((rate("boxes_recycled_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Boxes destroyed",
                    "ops",
                    "All destroyed boxes, by reason. A broken box failed or could not be proved clean.",
                    ((rate("boxes_destroyed_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Running boxes",
                    "short",
                    "Boxes that run now, by image.",
                    (("sum by (image) (sandbox_boxes)", "{{image}}"),),
                ),
            ),
        ),
        (
            "Clients",
            (
                Panel(
                    "Refused",
                    "ops",
                    "Refused submissions, by reason. QueueFull means that more arrive than the workers can run.",
                    ((rate("submissions_refused_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Abandoned",
                    "ops",
                    "Submissions whose client disconnected, and cancelled jobs.",
                    (
                        (rate("submissions_abandoned_total"), "abandoned"),
                        (rate("jobs_cancelled_total"), "cancelled"),
                    ),
                ),
                Panel(
                    "Server errors",
                    "percentunit",
                    "Fraction of the responses with a 5xx status. 503, a refusal, does not count.",
                    ((SERVER_ERRORS, "5xx"),),
                ),
            ),
        ),
        (
            "Webhooks",
            (
                Panel(
                    "Webhook attempts",
                    "ops",
                    "Requests that deliver webhooks, by outcome.",
                    ((rate("webhook_attempts_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    "Webhooks waiting",
                    "short",
                    "Webhooks that have not been delivered yet.",
                    (("max(sandbox_webhooks_waiting)", "waiting"),),
                ),
                Panel(
                    "Webhook attempt, 95 %",
                    "s",
                    "95th percentile of the duration of an attempt. It shows how fast the receivers are.",
                    ((quantile(0.95, "webhook_attempt_duration_seconds"), "95 %"),),
                ),
            ),
        ),
        (
            "The API process",
            (
                Panel("Memory", "bytes", "Resident memory.", (("process_resident_memory_bytes", "{{instance}}"),)),
                Panel(
                    "CPU",
                    "percentunit",
                    "CPU time as a fraction of one core.",
                    ((f"rate(process_cpu_seconds_total[{RATE}])", ""),),
                ),
                Panel("Open files", "short", "Open files and sockets.", (("process_open_fds", "{{instance}}"),)),
            ),
        ),
    ),
)
