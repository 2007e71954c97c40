"""The dashboard of throughput: how much the service runs, and how fast."""

from __future__ import annotations

from deploy.monitoring.panels import Dashboard, Panel, add_thresholds, plot_gauge, plot_rate
from deploy.monitoring.queries import QUANTILES, RATE, SATURATION, mean, quantile, rate
from deploy.monitoring.sessions import SESSIONS

VERDICTS = Panel(
    "Verdicts by verdict",
    "ops",
    "Results of programs per second.",
    ((rate("verdicts_total", "verdict"), "{{verdict}}"),),
    "stacked",
)
THROUGHPUT = Dashboard(
    "sandbox-throughput",
    "Sandbox: Throughput",
    (
        (
            "Verdicts",
            (
                VERDICTS,
                Panel(
                    "Verdicts by language",
                    "ops",
                    "Results of programs per second, by language and kind of submission.",
                    ((rate("verdicts_total", "language", "kind"), "{{language}} {{kind}}"),),
                    "stacked",
                ),
                Panel(
                    "Tests by verdict",
                    "ops",
                    "Judged tests per second.",
                    ((rate("tests_total", "verdict"), "{{verdict}}"),),
                    "stacked",
                ),
            ),
        ),
        (
            "Queue",
            (
                plot_rate(
                    "Submissions accepted",
                    "Submissions per second by lane. A batch counts once.",
                    "submissions_total",
                    "lane",
                    "kind",
                ),
                plot_gauge(
                    "Queue depth", "short", "Programs waiting for a worker, by lane.", "queue_submissions", "lane"
                ),
                add_thresholds(
                    plot_gauge(
                        "Queue age",
                        "s",
                        "Age of the oldest submission in each lane that has programs waiting. Autoscaling uses this"
                        " value.",
                        "queue_oldest_seconds",
                        "lane",
                    ),
                    (5, "time"),
                    (60, "bad"),
                    alert="SandboxQueueOld",
                ),
            ),
        ),
        (
            "Latency",
            (
                Panel(
                    "Acceptance to result",
                    "s",
                    "Time from acceptance to result. Darker cells contain more programs.",
                    ((f"sum by (le) (increase(sandbox_end_to_end_seconds_bucket[{RATE}]))", "{{le}}"),),
                    "heatmap",
                ),
                Panel(
                    "Acceptance to result, quantiles",
                    "s",
                    "Quantiles of the time from acceptance to result.",
                    tuple((quantile(part, "end_to_end_seconds"), name) for part, name in QUANTILES),
                ),
                Panel(
                    "Where the time goes",
                    "s",
                    "Mean time of a program in each phase. Compiling counts only programs that are compiled.",
                    tuple(
                        (mean(f"{stage}_seconds"), stage.replace("_", " "))
                        for stage in ("queue_wait", "box_wait", "compile", "run", "judge")
                    ),
                ),
            ),
        ),
        (
            "Slots",
            (
                Panel(
                    "Slots by state",
                    "short",
                    "A slot runs one program at a time. A warming slot waits for a box.",
                    (('sum by (state) (sandbox_slots{role="slot"})', "{{state}}"),),
                    "stacked",
                ),
                Panel(
                    "Saturation",
                    "percentunit",
                    "Fraction of the slots' time spent on programs. Above 90 %, the queue grows.",
                    ((SATURATION, "busy"),),
                    thresholds=((0.9, "time"), (0.95, "bad")),
                    alert="SandboxSaturated",
                ),
                Panel(
                    "Cache hits",
                    "percentunit",
                    "How often a warm box, or an interpreter with its modules loaded, was available.",
                    (
                        (
                            f"{rate('cache_hits_total', 'cache')} / "
                            f"({rate('cache_hits_total', 'cache')} + {rate('cache_misses_total', 'cache')} > 0)",
                            "{{cache}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Requests",
            (
                Panel(
                    "Requests by route",
                    "reqps",
                    "HTTP requests per second.",
                    ((rate("http_requests_total", "route", "status"), "{{route}} {{status}}"),),
                ),
                Panel(
                    "Requests in flight",
                    "short",
                    "HTTP requests without a response yet.",
                    (("sum(sandbox_http_requests_in_flight)", "in flight"),),
                ),
                Panel(
                    "Bytes",
                    "Bps",
                    "Bytes per second in request and response bodies, and into and out of boxes.",
                    (
                        (rate("http_request_body_bytes_sum"), "requests"),
                        (rate("http_response_body_bytes_sum"), "responses"),
                        (rate("box_input_bytes_total"), "into boxes"),
                        (rate("box_output_bytes_total"), "out of boxes"),
                    ),
                ),
            ),
        ),
        SESSIONS,
    ),
)
