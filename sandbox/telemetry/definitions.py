"""Every metric there is: its name, unit, labels, buckets and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, named as it is exposed (https://prometheus.io/docs/practices/naming/).

    `over_processes` says what a scrape makes of a gauge that several processes of a host set: their sum, or the one
    that was set last. Counters and histograms are always summed.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    aggregation: Literal["sum", "latest"] = "sum"


def _counter(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"sandbox_{name}_total", "counter", unit, meaning, labels)


def _gauge(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"sandbox_{name}", "gauge", unit, meaning, labels)


def _latest(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"sandbox_{name}", "gauge", unit, meaning, labels, aggregation="latest")


def _seconds(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"sandbox_{name}_seconds", "histogram", "seconds", meaning, labels, _SECONDS)


def _bytes(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"sandbox_{name}_bytes", "histogram", "bytes", meaning, labels, _BYTES)


# From a warm run's 2 ms to a batch's quarter of an hour, each about 2.3 times the one before.
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 900.0)
_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

# The API.
HTTP_REQUESTS = _counter("http_requests", "requests", "HTTP requests answered", "method", "route", "status")
HTTP_DURATION = _seconds(
    "http_request_duration", "From a request's first byte to its answer's last, waiting for results included", "route"
)
HTTP_REQUEST_BODY = _bytes("http_request_body", "Size of request bodies", "route")
HTTP_RESPONSE_BODY = _bytes("http_response_body", "Size of answers' bodies", "route")
HTTP_IN_FLIGHT = _gauge("http_requests_in_flight", "requests", "HTTP requests that wait for their answer now")
SUBMISSIONS = _counter("submissions", "submissions", "Submissions accepted", "kind", "lane", "mode")
PROGRAMS = _counter("programs", "programs", "Programs accepted, batches' items each", "kind", "language", "lane")
REFUSALS = _counter("submissions_refused", "submissions", "Submissions that were not accepted", "reason")
SUBMISSIONS_ABANDONED = _counter(
    "submissions_abandoned",
    "submissions",
    "Synchronous submissions dropped because the client went away or its time was up",
)
JOBS_CANCELLED = _counter("jobs_cancelled", "jobs", "Jobs that a client asked to cancel")
QUEUE_DEPTH = _latest("queue_submissions", "submissions", "Submissions that wait for a worker, when scraped", "lane")
QUEUE_AGE = _latest(
    "queue_oldest_seconds",
    "seconds",
    "Age of the oldest submission without a result, in a lane where some wait, when scraped",
    "lane",
)
WORKERS = _latest("workers", "workers", "Workers alive on all hosts, when scraped")
WAITING_FOR_BOX = _latest(
    "waiting_for_box_seconds",
    "seconds",
    "Longest time that a worker has been waiting for a box to start, when scraped",
)
REDIS_MEMORY = _latest(
    "redis_memory_bytes",
    "bytes",
    "Memory that the queue's Redis uses (used) and may use (limit, 0 if it has none), when scraped",
    "state",
)
STORED_BYTES = _latest(
    "kept_bytes", "bytes", "Stored in Redis for jobs' requests and results and for task sets, when scraped"
)
READY = _latest("ready", "ratio", "1 when submissions would be served, 0 when not, when scraped")

# Workers: what was judged, and where the time went. A batch's items count each, a vote once.
VERDICTS = _counter("verdicts", "programs", "Programs that have their result", "kind", "language", "lane", "verdict")
TESTS = _counter("tests", "tests", "Tests that programs were judged on", "language", "lane", "verdict")
QUEUE_WAIT = _seconds("queue_wait", "From acceptance until a worker took the program up", "lane")
BOX_WAIT = _seconds("box_wait", "Until the program's box was there: nothing for a warm one", "language")
COMPILE_DURATION = _seconds("compile", "Compiling one program", "language")
RUN_DURATION = _seconds("run", "All runs of one program together", "language")
JUDGE_DURATION = _seconds(
    "judge", "Comparing one program's outputs: its time in a box less compiling and running", "kind"
)
END_TO_END = _seconds("end_to_end", "From acceptance until the result is written", "kind", "lane")
SLOTS = _gauge(
    "slots",
    "slots",
    "Slots of this host by state (idle, busy, warming, dead) and role: slot, or express for what nobody else takes",
    "state",
    "role",
)
SLOT_BUSY = _counter("slot_busy_seconds", "seconds", "Time that slots spent on programs", "role")
BOXES = _gauge("boxes", "boxes", "Boxes up on this host", "image")
BOXES_CREATED = _counter("boxes_created", "boxes", "Boxes started", "image")
BOXES_RECYCLED = _counter(
    "boxes_recycled", "boxes", "Boxes replaced as planned: by age or run count", "image", "reason"
)
BOXES_DESTROYED = _counter(
    "boxes_destroyed", "boxes", "Boxes taken down, whatever the reason; the recycled ones too", "image", "reason"
)
CACHE_HITS = _counter("cache_hits", "uses", "Found ready: a warm box, an interpreter with its modules", "cache")
CACHE_MISSES = _counter("cache_misses", "uses", "Had to be made: a box, an interpreter with its modules", "cache")
FAILURES = _counter("infrastructure_failures", "failures", "Runs that our own machinery failed", "reason")
RETRIES = _counter("infrastructure_retries", "runs", "Runs tried again in another box after such a failure", "reason")
BOX_INPUT = _counter("box_input_bytes", "bytes", "Sent into boxes: standard input and files")
BOX_OUTPUT = _counter("box_output_bytes", "bytes", "Come out of boxes: standard output and error, and files")

# Webhooks.
WEBHOOKS = _counter(
    "webhooks", "webhooks", "Webhooks that came to an end: delivered, or dead after all tries", "outcome"
)
WEBHOOK_ATTEMPTS = _counter(
    "webhook_attempts", "requests", "Tries to deliver webhooks: delivered, failed, or dead as the last one", "outcome"
)
WEBHOOK_DURATION = _seconds("webhook_attempt_duration", "One try, from taking the webhook up to its end")
WEBHOOKS_WAITING = _latest("webhooks_waiting", "webhooks", "Webhooks not delivered yet, when last looked")

# Steps of reinforcement learning, as seen in POST /reward and in batches of the lane rl.
REWARD_GROUPS = _counter(
    "reward_groups", "groups", "Groups of completions of one task: all_pass, all_fail or mixed", "outcome"
)
REWARD_COMPLETIONS = _counter(
    "reward_completions", "completions", "Completions of such steps: pass, fail, no_code, lost by us", "outcome"
)
REWARD_MEAN = _latest("reward_mean", "reward", "Mean reward of the latest POST /reward", "policy")

# The GPU pool.
GPU_TOKENS = _counter("gpu_tokens", "tokens", "Tokens read (prompt) and generated (completion)", "direction")
GPU_JOB_SPEED = _latest(
    "gpu_job_tokens_per_second", "tokens/s", "Tokens a second as the latest job of its kind reports them", "kind"
)
GPU_RUNNING = _gauge("gpu_requests_running", "requests", "Requests that the generation servers work on")
GPU_WAITING = _gauge("gpu_requests_waiting", "requests", "Requests that wait in the generation servers")
GPU_KV_CACHE = _latest("gpu_kv_cache_usage_ratio", "ratio", "Part of the key-value cache in use, 0 to 1")
GPU_JOBS = _counter("gpu_jobs", "jobs", "GPU jobs that ended", "kind", "status")
GPU_JOBS_RUNNING = _gauge("gpu_jobs_running", "jobs", "GPU jobs that run on this host", "kind")
GPU_STEP = _latest("gpu_training_step", "steps", "Step of the latest training job", "kind")
GPU_LOSS = _latest("gpu_training_loss", "loss", "Training loss at that step", "kind")
GPU_REWARD = _latest("gpu_job_reward", "reward", "Mean reward as the latest job of its kind reports it", "kind")
GPU_PASS_RATE = _latest(
    "gpu_job_pass_ratio", "ratio", "Completions that passed, 0 to 1, as that job reports it", "kind"
)
GPU_GENERATION_SECONDS = _counter("gpu_generation_seconds", "seconds", "Time that GPU jobs spent generating")
GPU_VERDICT_WAIT_SECONDS = _counter(
    "gpu_verdict_wait_seconds", "seconds", "Time that GPU jobs waited for verdicts and did nothing else"
)
GPU_TRAINING_SECONDS = _counter("gpu_training_seconds", "seconds", "Time that GPU jobs spent updating weights")

METRICS: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
