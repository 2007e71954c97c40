"""All metrics with their names, units, labels, buckets and meanings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, named as it is exposed (https://prometheus.io/docs/practices/naming/).

    `aggregation` says how a scrape combines a gauge that several processes of a host set: their sum, or the latest
    value. Counters and histograms are always summed.
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


# From the 2 ms of a warm run to the 15 minutes of a batch; each is about 2.3 times the one before.
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 900.0)
_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

# The API.
HTTP_REQUESTS = _counter("http_requests", "requests", "HTTP requests that got a response", "method", "route", "status")
HTTP_DURATION = _seconds(
    "http_request_duration", "From a request's first byte to the last byte of its response, including waits", "route"
)
HTTP_REQUEST_BODY = _bytes("http_request_body", "Size of request bodies", "route")
HTTP_RESPONSE_BODY = _bytes("http_response_body", "Size of response bodies", "route")
HTTP_IN_FLIGHT = _gauge("http_requests_in_flight", "requests", "HTTP requests in progress")
SUBMISSIONS = _counter("submissions", "submissions", "Submissions accepted", "kind", "lane", "mode")
PROGRAMS = _counter(
    "programs", "programs", "Programs accepted; each item of a batch counts", "kind", "language", "lane"
)
REFUSALS = _counter("submissions_refused", "submissions", "Submissions refused", "reason")
SUBMISSIONS_ABANDONED = _counter(
    "submissions_abandoned",
    "submissions",
    "Synchronous submissions dropped because the client disconnected or its time was up",
)
JOBS_CANCELLED = _counter("jobs_cancelled", "jobs", "Jobs cancelled by clients")
QUEUE_DEPTH = _latest("queue_submissions", "submissions", "Submissions waiting for a worker, at scrape time", "lane")
QUEUE_AGE = _latest(
    "queue_oldest_seconds",
    "seconds",
    "Age of the oldest submission without a result, in lanes where submissions wait, at scrape time",
    "lane",
)
WORKERS = _latest("workers", "workers", "Workers alive on all hosts, at scrape time")
WAITING_FOR_BOX = _latest(
    "waiting_for_box_seconds",
    "seconds",
    "Longest time that a worker has been waiting for a box to start, at scrape time",
)
REDIS_MEMORY = _latest(
    "redis_memory_bytes",
    "bytes",
    "Memory that the queue's Redis uses (used) and may use (limit; 0 if unlimited), at scrape time",
    "state",
)
STORED_BYTES = _latest(
    "kept_bytes", "bytes", "Size of jobs' requests and results and of task sets in Redis, at scrape time"
)
REDIS_APPEND_ONLY = _latest(
    "redis_append_only",
    "ratio",
    "1 for the state of Redis's append-only file (ok, failing, off or unknown), 0 for the others, at scrape time",
    "state",
)
REDIS_APPEND_ONLY_BYTES = _latest(
    "redis_append_only_file_bytes", "bytes", "Size of Redis's append-only file, at scrape time"
)
READY = _latest("ready", "ratio", "1 if submissions can be served, otherwise 0, at scrape time")

# Every host.
BUILD_INFO = _latest("build_info", "ratio", "Always 1; the labels are the versions that run here", "version", "python")
DISK = _latest(
    "disk_bytes",
    "bytes",
    "Size of the file system of the home directory (home) or of the Docker engine's data (engine), and what is free",
    "place",
    "state",
)

NO_KEY = "none"
# API keys, by their ids; `none` if the service has no keys.
KEY_PROGRAMS = _counter("key_programs", "programs", "Programs accepted; each item of a batch counts", "key")
KEY_REFUSALS = _counter("key_refused", "submissions", "Submissions refused", "key")
KEY_BUSY = _counter("key_busy_seconds", "seconds", "Time that slots spent on programs", "key")

# Workers: verdicts, and where the time went. Each item of a batch counts; a vote counts once.
VERDICTS = _counter("verdicts", "programs", "Programs finished", "kind", "language", "lane", "verdict")
TESTS = _counter("tests", "tests", "Tests judged", "language", "lane", "verdict")
QUEUE_WAIT = _seconds("queue_wait", "From acceptance until a worker starts on the program", "lane")
BOX_WAIT = _seconds("box_wait", "Waiting for the program's box; 0 for a warm one", "language")
COMPILE_DURATION = _seconds("compile", "Compiling one program", "language")
RUN_DURATION = _seconds("run", "All runs of one program", "language")
JUDGE_DURATION = _seconds(
    "judge", "Comparing one program's outputs: its time with a box, minus compiling and running", "kind"
)
END_TO_END = _seconds("end_to_end", "From acceptance until the result is written", "kind", "lane")
SLOTS = _gauge(
    "slots",
    "slots",
    "Slots of this host by state (idle, busy, warming, dead) and role: slot, or express for a reserved worker",
    "state",
    "role",
)
SLOT_SINCE = _latest(
    "slot_state_since_timestamp_seconds",
    "seconds",
    "Unix time at which a slot entered its current state; 0 for all other states",
    "slot",
    "state",
)
SLOT_BUSY = _counter("slot_busy_seconds", "seconds", "Time that slots spent on programs", "role")
BOXES = _gauge("boxes", "boxes", "Boxes running on this host", "image")
BOXES_CREATED = _counter("boxes_created", "boxes", "Boxes started", "image")
BOXES_RECYCLED = _counter(
    "boxes_recycled", "boxes", "Boxes replaced as planned, because of age or run count", "image", "reason"
)
BOXES_DESTROYED = _counter(
    "boxes_destroyed", "boxes", "Boxes destroyed for any reason, including recycled ones", "image", "reason"
)
CACHE_HITS = _counter(
    "cache_hits", "uses", "Warm boxes, and interpreters with loaded modules, that were ready when needed", "cache"
)
CACHE_MISSES = _counter(
    "cache_misses", "uses", "Boxes, and interpreters with loaded modules, that had to be started first", "cache"
)
FAILURES = _counter("infrastructure_failures", "failures", "Runs that failed because of the service", "reason")
RETRIES = _counter("infrastructure_retries", "runs", "Runs retried in another box after such a failure", "reason")
ENVIRONMENT_BUILDS = _counter(
    "environment_builds", "builds", "Builds of environments' images on this host: built, or failed", "outcome"
)
ENVIRONMENT_BUILD_DURATION = _seconds("environment_build", "Building the image of one environment")
BOX_INPUT = _counter("box_input_bytes", "bytes", "Sent to boxes: standard input and files")
BOX_OUTPUT = _counter("box_output_bytes", "bytes", "Received from boxes: standard output and error, and files")

# Sessions.
SESSIONS_OPENED = _counter("sessions_opened", "sessions", "Sessions opened; forks do not count", "language")
SESSIONS_ENDED = _counter("sessions_ended", "sessions", "Sessions ended: closed, or lost", "language", "status")
SESSIONS_OPEN = _gauge("sessions_open", "sessions", "Sessions open on this host, including forks", "language")
SESSION_OPEN_WAIT = _seconds("session_open_wait", "From the request for a session until it is open")
SESSION_CALLS = _counter("session_calls", "calls", "Calls of sessions that ended", "language", "status")
SESSION_CALL_DURATION = _seconds("session_call", "One call of a session, in its host", "language")
SESSION_FORKS = _counter("session_forks", "sessions", "Sessions made by forking another")
SESSION_FORK_DURATION = _seconds("session_fork", "One request for forks, however many")
SESSION_HOSTS = _latest("session_hosts", "hosts", "Session hosts alive, at scrape time")
SESSION_BOXES = _gauge(
    "session_boxes", "boxes", "Boxes of this host for sessions: in_use, or warm and waiting for a session", "state"
)

# Webhooks.
WEBHOOKS = _counter("webhooks", "webhooks", "Webhooks finished: delivered, or dead after the last try", "outcome")
WEBHOOK_ATTEMPTS = _counter(
    "webhook_attempts",
    "requests",
    "Tries to deliver webhooks: delivered, failed, or dead if the last try failed",
    "outcome",
)
WEBHOOK_DURATION = _seconds("webhook_attempt_duration", "One try to deliver a webhook")
WEBHOOKS_WAITING = _latest("webhooks_waiting", "webhooks", "Webhooks not delivered yet, at the last check")

# Steps of reinforcement learning, as seen in POST /reward and in batches of the lane rl.
REWARD_GROUPS = _counter(
    "reward_groups", "groups", "Groups of completions for one task: all_pass, all_fail or mixed", "outcome"
)
REWARD_COMPLETIONS = _counter(
    "reward_completions",
    "completions",
    "Completions in these groups: pass, fail, no_code, or lost if the service failed",
    "outcome",
)
REWARD_MEAN = _latest("reward_mean", "reward", "Mean reward of the latest POST /reward", "policy")

# The GPU pool.
GPU_TOKENS = _counter("gpu_tokens", "tokens", "Tokens read (prompt) and generated (completion)", "direction")
GPU_JOB_SPEED = _latest(
    "gpu_job_tokens_per_second", "tokens/s", "Tokens per second, from the latest report of a job", "kind"
)
GPU_RUNNING = _gauge("gpu_requests_running", "requests", "Requests that the generation servers are processing")
GPU_WAITING = _gauge("gpu_requests_waiting", "requests", "Requests waiting in the generation servers")
GPU_KV_CACHE = _latest("gpu_kv_cache_usage_ratio", "ratio", "Share of the key-value cache in use, 0 to 1")
GPU_JOBS = _counter("gpu_jobs", "jobs", "GPU jobs ended", "kind", "status")
GPU_JOBS_RUNNING = _gauge("gpu_jobs_running", "jobs", "GPU jobs running on this host", "kind")
GPU_STEP = _latest("gpu_training_step", "steps", "Step of the latest training job", "kind")
GPU_LOSS = _latest("gpu_training_loss", "loss", "Training loss at that step", "kind")
GPU_REWARD = _latest("gpu_job_reward", "reward", "Mean reward, from the latest report of a job", "kind")
GPU_PASS_RATE = _latest(
    "gpu_job_pass_ratio", "ratio", "Share of completions that passed, 0 to 1, from the latest report of a job", "kind"
)
GPU_GENERATION_SECONDS = _counter("gpu_generation_seconds", "seconds", "Time that GPU jobs spent on generation")
GPU_VERDICT_WAIT_SECONDS = _counter(
    "gpu_verdict_wait_seconds", "seconds", "Time that GPU jobs spent only waiting for verdicts"
)
GPU_TRAINING_SECONDS = _counter("gpu_training_seconds", "seconds", "Time that GPU jobs spent updating weights")

METRICS: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
