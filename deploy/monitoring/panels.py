"""Every panel of every dashboard: its title, its Prometheus queries, and the meaning of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "stacked", "number", "heatmap"]
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `queries` are pairs (PromQL, legend); `unit` is a name from Grafana's valueFormats."""

    title: str
    unit: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    shape: Shape = "lines"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels, each row with a heading."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for _, panels in self.rows for panel in panels)


def _rate(metric: str, *by: str, where: str = "") -> str:
    selected = f"rate(sandbox_{metric}{{{where}}}[{RATE}])" if where else f"rate(sandbox_{metric}[{RATE}])"
    return f"sum by ({', '.join(by)}) ({selected})" if by else f"sum({selected})"


def _quantile(part: float, metric: str, *by: str, where: str = "") -> str:
    return f"histogram_quantile({part:g}, {_rate(f'{metric}_bucket', 'le', *by, where=where)})"


def _mean(metric: str) -> str:
    return f"{_rate(f'{metric}_sum')} / {_rate(f'{metric}_count')}"


def _share(part: str, whole: str) -> str:
    return f"({part} or vector(0)) / {whole}"


QUANTILES = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
SATURATION = _rate("slot_busy_seconds_total", where='role="slot"') + ' / sum(sandbox_slots{role="slot",state!="dead"})'
INTERNAL_ERRORS = _share(_rate("verdicts_total", where='verdict="internal_error"'), _rate("verdicts_total"))
SERVER_ERRORS = _share(_rate("http_requests_total", where='status=~"5..",status!="503"'), _rate("http_requests_total"))
MIXED = _share(_rate("reward_groups_total", where='outcome="mixed"'), _rate("reward_groups_total"))
GPU_TIME = tuple(_rate(f"gpu_{name}_seconds_total") for name in ("generation", "verdict_wait", "training"))
VERDICT_WAIT = f"{GPU_TIME[1]} / ({' + '.join(GPU_TIME)})"

VERDICTS = Panel(
    "Verdicts by verdict",
    "ops",
    "Results of programs per second.",
    ((_rate("verdicts_total", "verdict"), "{{verdict}}"),),
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
                    ((_rate("verdicts_total", "language", "kind"), "{{language}} {{kind}}"),),
                    "stacked",
                ),
                Panel(
                    "Tests by verdict",
                    "ops",
                    "Judged tests per second.",
                    ((_rate("tests_total", "verdict"), "{{verdict}}"),),
                    "stacked",
                ),
            ),
        ),
        (
            "Queue",
            (
                Panel(
                    "Submissions accepted",
                    "ops",
                    "Submissions per second by lane. A batch counts once.",
                    ((_rate("submissions_total", "lane", "kind"), "{{lane}} {{kind}}"),),
                ),
                Panel(
                    "Queue depth",
                    "short",
                    "Programs waiting for a worker, by lane.",
                    (("max by (lane) (sandbox_queue_submissions)", "{{lane}}"),),
                ),
                Panel(
                    "Queue age",
                    "s",
                    "Age of the oldest submission in each lane that has programs waiting. Autoscaling uses this value.",
                    (("max by (lane) (sandbox_queue_oldest_seconds)", "{{lane}}"),),
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
                    tuple((_quantile(part, "end_to_end_seconds"), name) for part, name in QUANTILES),
                ),
                Panel(
                    "Where the time goes",
                    "s",
                    "Mean time of a program in each phase. Compiling counts only programs that are compiled.",
                    tuple(
                        (_mean(f"{stage}_seconds"), stage.replace("_", " "))
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
                ),
                Panel(
                    "Cache hits",
                    "percentunit",
                    "How often a warm box, or an interpreter with its modules loaded, was available.",
                    (
                        (
                            f"{_rate('cache_hits_total', 'cache')} / "
                            f"({_rate('cache_hits_total', 'cache')} + {_rate('cache_misses_total', 'cache')} > 0)",
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
                    ((_rate("http_requests_total", "route", "status"), "{{route}} {{status}}"),),
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
                        (_rate("http_request_body_bytes_sum"), "requests"),
                        (_rate("http_response_body_bytes_sum"), "responses"),
                        (_rate("box_input_bytes_total"), "into boxes"),
                        (_rate("box_output_bytes_total"), "out of boxes"),
                    ),
                ),
            ),
        ),
    ),
)

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
                    ((_rate("infrastructure_failures_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Retries",
                    "ops",
                    "Runs repeated after a failure. If every failure is repeated, clients do not notice.",
                    ((_rate("infrastructure_retries_total", "reason"), "{{reason}}"),),
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
                    ((_rate("boxes_created_total", "image"), "{{image}}"),),
                ),
                Panel(
                    "Boxes recycled",
                    "ops",
                    "Boxes replaced as planned per second, by reason.",
                    ((_rate("boxes_recycled_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Boxes destroyed",
                    "ops",
                    "All destroyed boxes, by reason. A broken box failed or could not be proved clean.",
                    ((_rate("boxes_destroyed_total", "reason"), "{{reason}}"),),
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
                    ((_rate("submissions_refused_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Abandoned",
                    "ops",
                    "Submissions whose client disconnected, and cancelled jobs.",
                    (
                        (_rate("submissions_abandoned_total"), "abandoned"),
                        (_rate("jobs_cancelled_total"), "cancelled"),
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
                    ((_rate("webhook_attempts_total", "outcome"), "{{outcome}}"),),
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
                    ((_quantile(0.95, "webhook_attempt_duration_seconds"), "95 %"),),
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

RL = Dashboard(
    "sandbox-rl",
    "Sandbox: RL and GPU",
    (
        (
            "Rewards",
            (
                Panel(
                    "Mean reward",
                    "short",
                    "Mean reward of the latest POST /reward, by policy.",
                    (("max by (policy) (sandbox_reward_mean)", "{{policy}}"),),
                ),
                Panel(
                    "Groups",
                    "percentunit",
                    "Groups of completions for one task, by outcome. A model learns nothing from a group in which all"
                    " completions pass or all fail.",
                    (
                        (
                            f"{_rate('reward_groups_total', 'outcome')} / on() group_left() "
                            f"{_rate('reward_groups_total')}",
                            "{{outcome}}",
                        ),
                    ),
                    "stacked",
                ),
                Panel(
                    "Pass rate",
                    "percentunit",
                    "Fraction of the completions that passed all their tests.",
                    (
                        (
                            _share(
                                _rate("reward_completions_total", where='outcome="pass"'),
                                _rate("reward_completions_total"),
                            ),
                            "pass",
                        ),
                    ),
                ),
                Panel(
                    "Completions",
                    "ops",
                    "Completions per second by outcome. A lost completion got no reward because the service failed.",
                    ((_rate("reward_completions_total", "outcome"), "{{outcome}}"),),
                    "stacked",
                ),
                Panel(
                    "Acceptance to result, lane rl",
                    "s",
                    "Quantiles of the time from acceptance to result in the lane rl.",
                    tuple((_quantile(part, "end_to_end_seconds", where='lane="rl"'), name) for part, name in QUANTILES),
                ),
            ),
        ),
        (
            "Generation",
            (
                Panel(
                    "Tokens",
                    "ops",
                    "Tokens per second that the generation servers read and generated.",
                    ((_rate("gpu_tokens_total", "direction"), "{{direction}}"),),
                ),
                Panel(
                    "Requests in the servers",
                    "short",
                    "Requests that the generation servers process, and requests that wait.",
                    (
                        ("sum(sandbox_gpu_requests_running)", "running"),
                        ("sum(sandbox_gpu_requests_waiting)", "waiting"),
                    ),
                ),
                Panel(
                    "Key-value cache",
                    "percentunit",
                    "Used fraction of the key-value cache. Near 100 %, requests are delayed.",
                    (("max(sandbox_gpu_kv_cache_usage_ratio)", "used"),),
                ),
            ),
        ),
        (
            "Training",
            (
                Panel(
                    "Loss",
                    "short",
                    "Training loss, by kind of job.",
                    (("max by (kind) (sandbox_gpu_training_loss)", "{{kind}}"),),
                ),
                Panel(
                    "Reward and pass rate",
                    "short",
                    "Reward and pass rate that the jobs report.",
                    (
                        ("max by (kind) (sandbox_gpu_job_reward)", "reward, {{kind}}"),
                        ("max by (kind) (sandbox_gpu_job_pass_ratio)", "pass rate, {{kind}}"),
                    ),
                ),
                Panel(
                    "Step",
                    "short",
                    "Current training step, by kind of job.",
                    (("max by (kind) (sandbox_gpu_training_step)", "{{kind}}"),),
                ),
                Panel(
                    "Tokens per second of jobs",
                    "short",
                    "Tokens per second that the jobs report, by kind of job.",
                    (("max by (kind) (sandbox_gpu_job_tokens_per_second)", "{{kind}}"),),
                ),
                Panel(
                    "Where a step's time goes",
                    "percentunit",
                    "Fraction of the time spent generating, only waiting for verdicts, and updating weights.",
                    tuple(zip(GPU_TIME, ("generation", "verdict wait", "training"), strict=True)),
                    "stacked",
                ),
                Panel(
                    "Verdict wait",
                    "percentunit",
                    "Fraction of the steps' time in which GPUs waited for verdicts. The goal is less than 5 %.",
                    ((VERDICT_WAIT, "verdict wait"),),
                ),
            ),
        ),
        (
            "Jobs",
            (
                Panel(
                    "Running GPU jobs",
                    "short",
                    "GPU jobs that run now, by kind.",
                    (("sum by (kind) (sandbox_gpu_jobs_running)", "{{kind}}"),),
                ),
                Panel(
                    "Finished GPU jobs",
                    "short",
                    "GPU jobs that ended in the last hour, by kind and status.",
                    (("sum by (kind, status) (increase(sandbox_gpu_jobs_total[1h]))", "{{kind}} {{status}}"),),
                ),
            ),
        ),
    ),
)

DASHBOARDS = (THROUGHPUT, RELIABILITY, RL)
