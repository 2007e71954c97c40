"""Every Redis key of ours: name, type and life. RQ's own keys (`rq:...`) are RQ's business.

| key                          | type   | what                                       | life                       |
| ---------------------------- | ------ | ------------------------------------------ | -------------------------- |
| sandbox:envelope:<id>        | string | an envelope's items as JSON                | queue_ttl_s or until done  |
| sandbox:passes:<id>          | string | workers that could not read an envelope    | queue_ttl_s or until done  |
| sandbox:outstanding:<lane>   | zset   | envelopes not done yet, by time of sending | while there are any        |
| sandbox:claims               | hash   | envelope -> worker that has it             | while there are any        |
| sandbox:depth:<lane>         | string | items waiting in the lane                  | reset by the reaper        |
| sandbox:mail:<reader>        | list   | results for one waiting process            | MAIL_TTL_S after the last  |
| sandbox:mail:<reader>:<round> | list  | of them what it is reading                 | MAIL_TTL_S after the last  |
| sandbox:job:<id>             | hash   | a kept submission: kind, total, lane       | queue_ttl_s + result_ttl_s |
| sandbox:results:<id>         | hash   | item index -> result JSON                  | as its job                 |
| sandbox:readers:<id>         | set    | processes that wait for a kept submission  | as its job                 |
| sandbox:cancelled:<id>       | string | the submission is not wanted any more      | queue_ttl_s                |
| sandbox:idempotency:<digest> | string | the submission first made with this key    | as its job                 |
| sandbox:bucket:<key id>      | hash   | tokens that an API key has left, and when  | until the bucket is full   |
| sandbox:queued:<key id>      | zset   | item ids of an API key, without a result   | queue_ttl_s after the last |
| sandbox:parked:<lane>:<key>  | list   | envelopes of an API key that wait in turn  | while there are any        |
| sandbox:ring:<lane>          | list   | API keys that have something parked        | while there are any        |
| sandbox:forwarded:<lane>     | zset   | envelopes sent on from the parked ones     | while there are any        |
| sandbox:taskset:<sha256>     | hash   | task name -> task JSON                     | task_set_ttl_s after use   |
| sandbox:kept:until           | zset   | stored jobs and task sets, by expiry        | the longest of them        |
| sandbox:kept:sizes           | hash   | stored job or task set -> bytes and owner  | the longest of them        |
| sandbox:kept:totals          | hash   | owner, or all -> bytes stored              | the longest of them        |
| sandbox:senders              | zset   | process that sends envelopes -> when last  | a few seconds              |
| sandbox:workers              | zset   | worker -> time of its last heartbeat       | pruned by the reaper       |
| sandbox:starting             | zset   | worker that has run no program yet -> as above | pruned by the reaper   |
| sandbox:worker:<name>        | string | a worker's description as JSON             | a few leases               |
| sandbox:recent               | list   | what ended last, newest first, as JSON     | the last 500, for a day    |
| sandbox:verdicts:<minute>    | hash   | second and verdict -> number               | five minutes               |
| sandbox:reaper               | string | who reaps now                              | a second                   |
| sandbox:reward:<id>          | string | a kept reward's request as JSON            | as its job                 |
| sandbox:webhooks:due         | zset   | webhooks to deliver, by time of the next try | while there are any      |
| sandbox:webhook:<id>         | hash   | a webhook that failed: tries, last error   | webhook_dead_ttl_s         |
| sandbox:webhooks:dead        | zset   | webhooks given up, by when                 | webhook_dead_ttl_s each    |
| sandbox:gpu:job:<id>         | hash   | a GPU job: request, status, progress       | result_ttl_s from its end  |
| sandbox:gpu:events:<id>      | list   | its events as JSON, in order               | as its job                 |
| sandbox:gpu:jobs             | zset   | GPU jobs by time of submission             | pruned when listed         |
| sandbox:gpu:leases           | hash   | GPU -> who holds it, until when            | while there are any        |
| sandbox:gpu:workers          | zset   | GPU worker -> time its lease ends          | pruned by the workers      |
"""

from __future__ import annotations

from sandbox.schema import Lane

PREFIX = "sandbox:"
MESSAGES_TTL_S = 120
LANES = (Lane.RL, Lane.DEFAULT, Lane.BULK)  # in the order in which workers empty them
CLAIMS = PREFIX + "claims"
SENDERS = PREFIX + "senders"
WORKERS = PREFIX + "workers"
STARTING = PREFIX + "starting"
REAPER = PREFIX + "reaper"
RECENT_RESULTS = PREFIX + "recent"
STORED_UNTIL = PREFIX + "kept:until"
STORED_SIZES = PREFIX + "kept:sizes"
STORED_TOTALS = PREFIX + "kept:totals"
WEBHOOKS_DUE = PREFIX + "webhooks:due"
WEBHOOKS_DEAD = PREFIX + "webhooks:dead"
GPU_JOBS = PREFIX + "gpu:jobs"
GPU_LEASES = PREFIX + "gpu:leases"
GPU_WORKERS = PREFIX + "gpu:workers"


def job_batch(batch_id: str) -> str:
    return f"{PREFIX}envelope:{batch_id}"


def unreadable_returns(batch_id: str) -> str:
    return f"{PREFIX}passes:{batch_id}"


def outstanding(lane: str) -> str:
    return f"{PREFIX}outstanding:{lane}"


def depth(lane: str) -> str:
    return f"{PREFIX}depth:{lane}"


def messages(reader: str) -> str:
    return f"{PREFIX}mail:{reader}"


def messages_in_round(reader: str, number: int) -> str:
    return f"{PREFIX}mail:{reader}:{number}"


def job(submission: str) -> str:
    return f"{PREFIX}job:{submission}"


def results(submission: str) -> str:
    return f"{PREFIX}results:{submission}"


def readers(submission: str) -> str:
    return f"{PREFIX}readers:{submission}"


def cancelled(submission: str) -> str:
    return f"{PREFIX}cancelled:{submission}"


def idempotency(digest: str) -> str:
    return f"{PREFIX}idempotency:{digest}"


def task_set(set_id: str) -> str:
    return f"{PREFIX}taskset:{set_id}"


def token_bucket(caller_id: str) -> str:
    return f"{PREFIX}bucket:{caller_id}"


def queued_items(caller_id: str) -> str:
    return f"{PREFIX}queued:{caller_id}"


def client_queue(lane: str, client: str) -> str:
    return f"{PREFIX}parked:{lane}:{client}"


def client_rotation(lane: str) -> str:
    return f"{PREFIX}ring:{lane}"


def admitted(lane: str) -> str:
    return f"{PREFIX}forwarded:{lane}"


def worker(name: str) -> str:
    return f"{PREFIX}worker:{name}"


def reward(submission: str) -> str:
    return f"{PREFIX}reward:{submission}"


def webhook(webhook_id: str) -> str:
    return f"{PREFIX}webhook:{webhook_id}"


def gpu_job(job_id: str) -> str:
    return f"{PREFIX}gpu:job:{job_id}"


def gpu_events(job_id: str) -> str:
    return f"{PREFIX}gpu:events:{job_id}"


def verdict_counts(minute: int) -> str:
    return f"{PREFIX}verdicts:{minute}"


def rq_queue(lane: str) -> str:
    return f"rq:queue:{lane}"
