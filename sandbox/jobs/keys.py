"""Every Redis key of ours: name, type and life. RQ's own keys (`rq:...`) are RQ's business.

| key                          | type   | what                                       | life                       |
| ---------------------------- | ------ | ------------------------------------------ | -------------------------- |
| sandbox:envelope:<id>        | string | an envelope's items as JSON                | queue_ttl_s or until done  |
| sandbox:outstanding:<lane>   | zset   | envelopes not done yet, by time of sending | while there are any        |
| sandbox:claims               | hash   | envelope -> worker that has it             | while there are any        |
| sandbox:depth:<lane>         | string | items waiting in the lane                  | reset by the reaper        |
| sandbox:mail:<reader>        | list   | results for one waiting process            | MAIL_TTL_S after the last  |
| sandbox:job:<id>             | hash   | a kept submission: kind, total, lane       | queue_ttl_s + result_ttl_s |
| sandbox:results:<id>         | hash   | item index -> result JSON                  | as its job                 |
| sandbox:readers:<id>         | set    | processes that wait for a kept submission  | as its job                 |
| sandbox:cancelled:<id>       | string | the submission is not wanted any more      | queue_ttl_s                |
| sandbox:idempotency:<digest> | string | the submission first made with this key    | result_ttl_s               |
| sandbox:taskset:<sha256>     | hash   | task name -> task JSON                     | task_set_ttl_s after use   |
| sandbox:workers              | zset   | worker -> time of its last heartbeat       | pruned by the reaper       |
| sandbox:worker:<name>        | string | a worker's description as JSON             | a few leases               |
| sandbox:reaper               | string | who reaps now                              | a second                   |
"""

from __future__ import annotations

from sandbox.schema import Lane

PREFIX = "sandbox:"
MAIL_TTL_S = 120
LANES = (Lane.RL, Lane.DEFAULT, Lane.BULK)  # in the order in which workers empty them
CLAIMS = PREFIX + "claims"
WORKERS = PREFIX + "workers"
REAPER = PREFIX + "reaper"


def envelope(envelope_id: str) -> str:
    return f"{PREFIX}envelope:{envelope_id}"


def outstanding(lane: str) -> str:
    return f"{PREFIX}outstanding:{lane}"


def depth(lane: str) -> str:
    return f"{PREFIX}depth:{lane}"


def mail(reader: str) -> str:
    return f"{PREFIX}mail:{reader}"


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


def worker(name: str) -> str:
    return f"{PREFIX}worker:{name}"


def rq_queue(lane: str) -> str:
    return f"rq:queue:{lane}"
