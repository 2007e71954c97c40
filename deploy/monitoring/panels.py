"""Every panel of every dashboard: what it is called, what it asks Prometheus, and how the answer is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "stacked", "number", "heatmap"]
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries` are (PromQL, legend); `unit` is Grafana's name of it, as its valueFormats list them."""

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
    "Programs that got their result, a second.",
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
                    "The same by language and kind of submission.",
                    ((_rate("verdicts_total", "language", "kind"), "{{language}} {{kind}}"),),
                    "stacked",
                ),
                Panel(
                    "Tests by verdict",
                    "ops",
                    "Tests that programs were judged on, a second.",
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
                    "Submissions a second, a batch counting once, by lane.",
                    ((_rate("submissions_total", "lane", "kind"), "{{lane}} {{kind}}"),),
                ),
                Panel(
                    "Queue depth",
                    "short",
                    "Programs that wait for a worker, by lane.",
                    (("max by (lane) (sandbox_queue_submissions)", "{{lane}}"),),
                ),
                Panel(
                    "Queue age",
                    "s",
                    "Age of the oldest submission of a lane that holds waiting ones: what autoscaling goes by.",
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
                    "How long programs took from acceptance to result; the darker, the more.",
                    ((f"sum by (le) (increase(sandbox_end_to_end_seconds_bucket[{RATE}]))", "{{le}}"),),
                    "heatmap",
                ),
                Panel(
                    "Acceptance to result, quantiles",
                    "s",
                    "The same as quantiles.",
                    tuple((_quantile(part, "end_to_end_seconds"), name) for part, name in QUANTILES),
                ),
                Panel(
                    "Where the time goes",
                    "s",
                    "Mean seconds of a program in each stage; compiling only of those that are compiled.",
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
                    "A slot is one place where a program runs. Warming: it waits for a box.",
                    (('sum by (state) (sandbox_slots{role="slot"})', "{{state}}"),),
                    "stacked",
                ),
                Panel(
                    "Saturation",
                    "percentunit",
                    "Part of the slots' time that was spent on programs. Above 90 % the queue grows.",
                    ((SATURATION, "busy"),),
                ),
                Panel(
                    "Found ready",
                    "percentunit",
                    "How often a warm box, or an interpreter with its modules, was there already.",
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
                    "HTTP requests a second.",
                    ((_rate("http_requests_total", "route", "status"), "{{route}} {{status}}"),),
                ),
                Panel(
                    "Requests that wait",
                    "short",
                    "HTTP requests without their answer yet.",
                    (("sum(sandbox_http_requests_in_flight)", "in flight"),),
                ),
                Panel(
                    "Bytes",
                    "Bps",
                    "Request and answer bodies, and what went into boxes and came out.",
                    (
                        (_rate("http_request_body_bytes_sum"), "requests"),
                        (_rate("http_response_body_bytes_sum"), "answers"),
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
                Panel("Ready", "short", "1 when submissions would be served.", (("max(sandbox_ready)", ""),), "number"),
                Panel("Workers", "short", "Workers alive, all hosts.", (("max(sandbox_workers)", ""),), "number"),
                Panel(
                    "Longest wait for a box",
                    "s",
                    "How long a worker has needed a box that does not start; above 30 s it is an alert.",
                    (("max(sandbox_waiting_for_box_seconds)", ""),),
                    "number",
                ),
                Panel(
                    "Dead slots",
                    "short",
                    "Slots whose process is gone and not started again yet.",
                    (('sum(sandbox_slots{state="dead"})', ""),),
                    "number",
                ),
            ),
        ),
        (
            "Our failures",
            (
                Panel(
                    "Infrastructure failures",
                    "ops",
                    "Runs that our own machinery failed, by reason.",
                    ((_rate("infrastructure_failures_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Retries",
                    "ops",
                    "Runs tried again after such a failure: as long as these are as many, no client notices.",
                    ((_rate("infrastructure_retries_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Verdict internal_error",
                    "percentunit",
                    "Part of the results that say internal_error: what retries did not cure.",
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
                    "New boxes a second, by image.",
                    ((_rate("boxes_created_total", "image"), "{{image}}"),),
                ),
                Panel(
                    "Boxes recycled",
                    "ops",
                    "Boxes replaced as planned, by reason.",
                    ((_rate("boxes_recycled_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Boxes taken down",
                    "ops",
                    "Every box that ended, by reason. `broken`: it failed, or could not be proved clean.",
                    ((_rate("boxes_destroyed_total", "reason"), "{{reason}}"),),
                ),
                Panel("Boxes up", "short", "By image.", (("sum by (image) (sandbox_boxes)", "{{image}}"),)),
            ),
        ),
        (
            "Clients",
            (
                Panel(
                    "Refused",
                    "ops",
                    "Submissions not accepted, by reason. QueueFull: more comes in than the workers can do.",
                    ((_rate("submissions_refused_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Given up",
                    "ops",
                    "Submissions whose client went away, and jobs that were cancelled.",
                    (
                        (_rate("submissions_abandoned_total"), "abandoned"),
                        (_rate("jobs_cancelled_total"), "cancelled"),
                    ),
                ),
                Panel(
                    "Server errors",
                    "percentunit",
                    "Part of the answers with a status from 500 on, refusals (503) apart.",
                    ((SERVER_ERRORS, "5xx"),),
                ),
            ),
        ),
        (
            "Webhooks",
            (
                Panel(
                    "Webhook tries",
                    "ops",
                    "Requests made to deliver webhooks, by what came of them.",
                    ((_rate("webhook_attempts_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    "Webhooks waiting",
                    "short",
                    "Not delivered yet.",
                    (("max(sandbox_webhooks_waiting)", "waiting"),),
                ),
                Panel(
                    "Webhook try, 95 %",
                    "s",
                    "How long 95 % of the tries took at most: the receivers' speed.",
                    ((_quantile(0.95, "webhook_attempt_duration_seconds"), "95 %"),),
                ),
            ),
        ),
        (
            "The API's process",
            (
                Panel("Memory", "bytes", "Resident.", (("process_resident_memory_bytes", "{{instance}}"),)),
                Panel("CPU", "percentunit", "Of one core.", ((f"rate(process_cpu_seconds_total[{RATE}])", ""),)),
                Panel("Open files", "short", "Sockets too.", (("process_open_fds", "{{instance}}"),)),
            ),
        ),
    ),
)

RL = Dashboard(
    "sandbox-rl",
    "Sandbox: RL and GPU",
    (
        (
            "Steps as the service sees them",
            (
                Panel(
                    "Mean reward",
                    "short",
                    "Of the latest POST /reward, by policy.",
                    (("max by (policy) (sandbox_reward_mean)", "{{policy}}"),),
                ),
                Panel(
                    "Groups",
                    "percentunit",
                    "Groups of completions of one task. Those that all pass or all fail teach nothing.",
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
                    "Part of the completions that passed all their tests.",
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
                    "By outcome. `lost`: our failure, the trainer got no reward and should drop them.",
                    ((_rate("reward_completions_total", "outcome"), "{{outcome}}"),),
                    "stacked",
                ),
                Panel(
                    "Verdicts of the lane rl",
                    "s",
                    "From acceptance to result.",
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
                    "Tokens a second that the generation servers read and generated.",
                    ((_rate("gpu_tokens_total", "direction"), "{{direction}}"),),
                ),
                Panel(
                    "Requests in the servers",
                    "short",
                    "Worked on, and waiting for their turn.",
                    (
                        ("sum(sandbox_gpu_requests_running)", "running"),
                        ("sum(sandbox_gpu_requests_waiting)", "waiting"),
                    ),
                ),
                Panel(
                    "Key-value cache",
                    "percentunit",
                    "In use. Near 100 % requests are put off.",
                    (("max(sandbox_gpu_kv_cache_usage_ratio)", "used"),),
                ),
            ),
        ),
        (
            "Training",
            (
                Panel("Loss", "short", "By kind of job.", (("max by (kind) (sandbox_gpu_training_loss)", "{{kind}}"),)),
                Panel(
                    "Reward and pass rate",
                    "short",
                    "As the jobs report them.",
                    (
                        ("max by (kind) (sandbox_gpu_job_reward)", "reward, {{kind}}"),
                        ("max by (kind) (sandbox_gpu_job_pass_ratio)", "pass rate, {{kind}}"),
                    ),
                ),
                Panel("Step", "short", "By kind of job.", (("max by (kind) (sandbox_gpu_training_step)", "{{kind}}"),)),
                Panel(
                    "Tokens a second, as jobs report them",
                    "short",
                    "By kind of job.",
                    (("max by (kind) (sandbox_gpu_job_tokens_per_second)", "{{kind}}"),),
                ),
                Panel(
                    "Where a step's time goes",
                    "percentunit",
                    "Seconds a second: generating, waiting for verdicts and nothing else, updating weights.",
                    tuple(zip(GPU_TIME, ("generation", "verdict wait", "training"), strict=True)),
                    "stacked",
                ),
                Panel(
                    "Verdict wait",
                    "percentunit",
                    "Part of the steps' time that GPUs waited for verdicts. The aim is below 5 %.",
                    ((VERDICT_WAIT, "verdict wait"),),
                ),
            ),
        ),
        (
            "Jobs",
            (
                Panel(
                    "GPU jobs that run",
                    "short",
                    "By kind.",
                    (("sum by (kind) (sandbox_gpu_jobs_running)", "{{kind}}"),),
                ),
                Panel(
                    "GPU jobs that ended",
                    "short",
                    "In the last hour, by kind and status.",
                    (("sum by (kind, status) (increase(sandbox_gpu_jobs_total[1h]))", "{{kind}} {{status}}"),),
                ),
            ),
        ),
    ),
)

DASHBOARDS = (THROUGHPUT, RELIABILITY, RL)
