"""Every Redis key of the service, with its type and lifetime. RQ manages its own keys (`rq:...`).

| key                          | type   | what                                       | life                       |
| ---------------------------- | ------ | ------------------------------------------ | -------------------------- |
| sandbox:envelope:<id>        | string | the items of a job batch as JSON           | queue_ttl_s or until done  |
| sandbox:passes:<id>          | string | how often a worker could not read a batch  | queue_ttl_s or until done  |
| sandbox:outstanding:<lane>   | zset   | unfinished batches by time of sending      | while there are any        |
| sandbox:claims               | hash   | batch -> worker that claims it             | while there are any        |
| sandbox:depth:<lane>         | string | items waiting in the lane                  | reset by the reaper        |
| sandbox:mail:<reader>        | list   | results for one waiting process            | MESSAGES_TTL_S after the last |
| sandbox:mail:<reader>:<round> | list  | the results that the process is reading    | MESSAGES_TTL_S after the last |
| sandbox:job:<id>             | hash   | a stored submission: kind, total, lane     | queue_ttl_s + result_ttl_s |
| sandbox:results:<id>         | hash   | item index -> result JSON                  | as its job                 |
| sandbox:readers:<id>         | set    | processes that wait for a stored submission | as its job                |
| sandbox:cancelled:<id>       | string | the submission was cancelled               | queue_ttl_s + result_ttl_s |
| sandbox:cancellations        | string | a key of the row above may exist           | as the last of them        |
| sandbox:idempotency:<digest> | string | the submission first made with this key    | as its job                 |
| sandbox:bucket:<key id>      | hash   | tokens left for an API key, and since when | until the bucket is full   |
| sandbox:queued:<key id>      | zset   | ids of an API key's items without a result | queue_ttl_s after the last |
| sandbox:parked:<lane>:<key>  | list   | batches of an API key that wait in turn    | while there are any        |
| sandbox:ring:<lane>          | list   | API keys with waiting batches, in rotation | while there are any        |
| sandbox:forwarded:<lane>     | zset   | unfinished batches admitted to the lane    | while there are any        |
| sandbox:taskset:<sha256>     | hash   | task name -> task JSON                     | task_set_ttl_s after use   |
| sandbox:environments         | hash   | environment -> image of its current version | until removed             |
| sandbox:environment:<name>@<id> | string | a version of an environment             | queue_ttl_s and a day      |
| sandbox:kept:until           | zset   | stored jobs and task sets by expiry        | the longest of them        |
| sandbox:kept:sizes           | hash   | stored job or task set -> bytes and owner  | the longest of them        |
| sandbox:kept:totals          | hash   | owner, or all owners -> bytes stored       | the longest of them        |
| sandbox:senders              | zset   | process that sends batches -> when last    | a few seconds              |
| sandbox:workers              | zset   | worker -> time of its last heartbeat       | pruned by the reaper       |
| sandbox:starting             | zset   | starting worker -> time of its last heartbeat | pruned by the reaper    |
| sandbox:worker:<name>        | string | a worker's description as JSON             | a few leases               |
| sandbox:recent               | list   | recent results as JSON, newest first       | the last 500, for a day    |
| sandbox:verdicts:<minute>    | hash   | second and verdict -> count                | five minutes               |
| sandbox:history:<hour>       | hash   | minute and verdict -> count                | 26 hours                   |
| sandbox:reaper               | string | the worker that reaps now                  | a second                   |
| sandbox:offers               | list   | offers of tests, once per possible helper  | a minute after the last    |
| sandbox:offer:<id>           | hash   | an item, and the workers of its offered tests | while its owner renews it |
| sandbox:offer:<id>:tests     | list   | the tests of an offer that nobody has taken | as its offer              |
| sandbox:offer:<id>:results   | list   | results of an offer's tests as JSON        | as its offer               |
| sandbox:offer:stops          | string | helpers that stop because batches wait     | a tenth of a second        |
| sandbox:reward:<id>          | string | a stored reward request as JSON            | as its job                 |
| sandbox:rewards:<id>         | string | the rewards of a stored request as JSON    | as its job                 |
| sandbox:runs                 | zset   | training runs by time of their latest rewards | pruned with each new run |
| sandbox:run:<id>             | hash   | a training run: name, owner, requests      | 7 days after the last      |
| sandbox:run:points:<id>      | list   | what each reward request of a run got, as JSON | as its run             |
| sandbox:webhooks:due         | zset   | webhooks to deliver by time of the next try | while there are any       |
| sandbox:webhook:<id>         | hash   | a webhook that failed: tries, last error   | webhook_dead_ttl_s         |
| sandbox:webhooks:dead        | zset   | dead webhooks by time of their last try    | webhook_dead_ttl_s each    |
| sandbox:gpu:job:<id>         | hash   | a GPU job: request, status, progress       | result_ttl_s from its end  |
| sandbox:gpu:events:<id>      | list   | the events of a GPU job as JSON, in order  | as its job                 |
| sandbox:gpu:jobs             | zset   | GPU jobs by time of submission             | pruned when listed         |
| sandbox:gpu:leases           | hash   | GPU -> its worker, its job, and the expiry | while there are any        |
| sandbox:gpu:workers          | zset   | GPU worker -> when its lease ends          | pruned by the workers      |
| sandbox:session:<id>         | hash   | a session: host, owner, status, limits     | an hour after its end      |
| sandbox:sessions             | zset   | sessions by time of creation               | pruned when listed         |
| sandbox:session:expiries     | zset   | open sessions by time of expiry            | as their sessions          |
| sandbox:session:hosts        | zset   | session host -> time of its last heartbeat | pruned by the hosts        |
| sandbox:session:host:<id>    | string | a session host's description as JSON       | a few leases               |
| sandbox:session:opens        | list   | requests for a new session                 | until a host takes them    |
| sandbox:session:request:<id> | hash   | a request with an idempotency key          | 1 h                        |
| sandbox:session:calls:<host> | list   | calls of the sessions of one host          | until the host takes them  |
| sandbox:session:owned:<key id> | zset | an API key's sessions by expiry            | the longest of them        |
| sandbox:session:name:<digest> | string | the id of a named session, or a reservation | 25 h, or 5 min    |
| sandbox:session:journal:<id> | list   | the calls of a session with `replay`       | as its session             |
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
OFFERS = PREFIX + "offers"
OFFER_STOPS = PREFIX + "offer:stops"
RECENT_RESULTS = PREFIX + "recent"
STORED_UNTIL = PREFIX + "kept:until"
STORED_SIZES = PREFIX + "kept:sizes"
STORED_TOTALS = PREFIX + "kept:totals"
RUNS = PREFIX + "runs"
WEBHOOKS_DUE = PREFIX + "webhooks:due"
WEBHOOKS_DEAD = PREFIX + "webhooks:dead"
GPU_JOBS = PREFIX + "gpu:jobs"
GPU_LEASES = PREFIX + "gpu:leases"
GPU_WORKERS = PREFIX + "gpu:workers"
ENVIRONMENTS = PREFIX + "environments"
SESSIONS = PREFIX + "sessions"
SESSION_EXPIRIES = PREFIX + "session:expiries"
SESSION_HOSTS = PREFIX + "session:hosts"
SESSION_OPENS = PREFIX + "session:opens"


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


CANCELLATIONS = f"{PREFIX}cancellations"


def cancelled(submission: str) -> str:
    return f"{PREFIX}cancelled:{submission}"


def idempotency(digest: str) -> str:
    return f"{PREFIX}idempotency:{digest}"


def task_set(set_id: str) -> str:
    return f"{PREFIX}taskset:{set_id}"


def environment_versions(name: str) -> str:
    """Return the prefix of the keys of an environment's versions, which end with their content ids."""
    return f"{PREFIX}environment:{name}@"


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


def offer(offer_id: str) -> str:
    return f"{PREFIX}offer:{offer_id}"


def offered_tests(offer_id: str) -> str:
    return f"{PREFIX}offer:{offer_id}:tests"


def offer_results(offer_id: str) -> str:
    return f"{PREFIX}offer:{offer_id}:results"


def reward(submission: str) -> str:
    return f"{PREFIX}reward:{submission}"


def rewards(submission: str) -> str:
    return f"{PREFIX}rewards:{submission}"


def run(run_id: str) -> str:
    return f"{PREFIX}run:{run_id}"


def run_points(run_id: str) -> str:
    return f"{PREFIX}run:points:{run_id}"


def webhook(webhook_id: str) -> str:
    return f"{PREFIX}webhook:{webhook_id}"


def gpu_job(job_id: str) -> str:
    return f"{PREFIX}gpu:job:{job_id}"


def gpu_events(job_id: str) -> str:
    return f"{PREFIX}gpu:events:{job_id}"


def session(session_id: str) -> str:
    return f"{PREFIX}session:{session_id}"


def session_request(session_id: str) -> str:
    return f"{PREFIX}session:request:{session_id}"


def session_host(host: str) -> str:
    return f"{PREFIX}session:host:{host}"


def session_calls(host: str) -> str:
    return f"{PREFIX}session:calls:{host}"


def owned_sessions(caller_id: str) -> str:
    return f"{PREFIX}session:owned:{caller_id}"


def session_name(digest: str) -> str:
    return f"{PREFIX}session:name:{digest}"


def session_journal(session_id: str) -> str:
    return f"{PREFIX}session:journal:{session_id}"


def verdict_counts(minute: int) -> str:
    return f"{PREFIX}verdicts:{minute}"


def verdict_history(hour: int) -> str:
    return f"{PREFIX}history:{hour}"


def rq_queue(lane: str) -> str:
    return f"rq:queue:{lane}"
