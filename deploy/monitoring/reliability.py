"""The dashboard of reliability: whether it works, and what fails."""

from __future__ import annotations

from deploy.monitoring.panels import Dashboard, Panel, plot_gauge, plot_rate
from deploy.monitoring.queries import INTERNAL_ERRORS, RATE, SERVER_ERRORS, quantile, rate
from deploy.monitoring.storage import KEYS, STORAGE

RELIABILITY = Dashboard(
    "sandbox-reliability",
    "Sandbox: Reliability",
    (
        (
            "Now",
            (
                Panel(
                    "Ready",
                    "short",
                    "Whether the service can run programs.",
                    (("max(sandbox_ready)", ""),),
                    "number",
                    words=(("1", "Ready", "good"), ("0", "Not ready", "bad")),
                    alert="SandboxNotReady",
                ),
                Panel(
                    "Workers",
                    "short",
                    "Live workers on all hosts.",
                    (("max(sandbox_workers)", ""),),
                    "number",
                    words=(("0", "None", "bad"),),
                    alert="SandboxNotReady",
                ),
                Panel(
                    "Longest wait for a box",
                    "s",
                    "How long a worker has been waiting for a box to start. Above 30 s, an alert fires.",
                    (("max(sandbox_waiting_for_box_seconds)", ""),),
                    "number",
                    ((5, "time"), (30, "bad")),
                    alert="SandboxNoBoxStarts",
                ),
                Panel(
                    "Dead slots",
                    "short",
                    "Slots whose process exited and has not been restarted yet.",
                    (('sum(sandbox_slots{state="dead"})', ""),),
                    "number",
                    ((1, "bad"),),
                    alert="SandboxSlotsDead",
                ),
            ),
        ),
        (
            "Failures of the service",
            (
                plot_rate(
                    "Infrastructure failures",
                    "Runs that failed because of the service, by reason.",
                    "infrastructure_failures_total",
                    "reason",
                ),
                plot_rate(
                    "Retries",
                    "Runs repeated after a failure. If every failure is repeated, clients do not notice.",
                    "infrastructure_retries_total",
                    "reason",
                ),
                Panel(
                    "Verdict internal_error",
                    "percentunit",
                    "Fraction of the results with the verdict internal_error, which retries did not fix.",
                    ((INTERNAL_ERRORS, "internal_error"),),
                    thresholds=((0.001, "bad"),),
                    alert="SandboxInternalErrors",
                ),
            ),
        ),
        (
            "Boxes",
            (
                plot_rate("Boxes started", "New boxes per second, by image.", "boxes_created_total", "image"),
                plot_rate(
                    "Boxes recycled",
                    "Boxes replaced as planned per second, by reason.",
                    "boxes_recycled_total",
                    "reason",
                ),
                plot_rate(
                    "Boxes destroyed",
                    "All destroyed boxes, by reason. A broken box failed or could not be proved clean.",
                    "boxes_destroyed_total",
                    "reason",
                ),
                plot_gauge("Running boxes", "short", "Boxes that run now, by image.", "boxes", "image", "sum"),
            ),
        ),
        (
            "Clients",
            (
                plot_rate(
                    "Refused",
                    "Refused submissions, by reason. QueueFull means that more arrive than the workers can run.",
                    "submissions_refused_total",
                    "reason",
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
                    "Fraction of the responses with a 5xx status. 503, a refusal, and 511, from SWE-ReX, do not count.",
                    ((SERVER_ERRORS, "5xx"),),
                    thresholds=((0.01, "bad"),),
                    alert="SandboxServerErrors",
                ),
            ),
        ),
        (
            "Webhooks",
            (
                plot_rate(
                    "Webhook attempts",
                    "Requests that deliver webhooks, by outcome.",
                    "webhook_attempts_total",
                    "outcome",
                ),
                Panel(
                    "Webhooks waiting",
                    "short",
                    "Webhooks that have not been delivered yet.",
                    (("max(sandbox_webhooks_waiting)", "waiting"),),
                    thresholds=((1000, "bad"),),
                    alert="SandboxWebhooksWait",
                ),
                Panel(
                    "Webhook attempt, 95 %",
                    "s",
                    "95th percentile of the duration of an attempt. It shows how fast the receivers are.",
                    ((quantile(0.95, "webhook_attempt_duration_seconds"), "95 %"),),
                ),
            ),
        ),
        STORAGE,
        KEYS,
        (
            "Processes",
            (
                Panel(
                    "Versions",
                    "short",
                    "Hosts by version. Versions may differ by one while hosts are upgraded.",
                    (("count by (version) (sandbox_build_info)", "{{version}}"),),
                ),
                Panel(
                    "Age of slots' states",
                    "s",
                    "How long each slot has been idle, busy or warming. A slot that stays warming gets no box.",
                    (
                        (
                            "time() - (max by (instance, slot, state)"
                            " (sandbox_slot_state_since_timestamp_seconds) > 0)",
                            "{{instance}} {{slot}} {{state}}",
                        ),
                    ),
                ),
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
