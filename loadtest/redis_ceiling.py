"""How many verdicts per second the queue's Redis can carry: one server, and two masters with a slot of the keys each.

The queue's own code writes the commands of each batch once: send it, take it, claim it, write its results, collect
them, and publish them to the live view. Then connections replay these commands, one round trip at a time as in the
service, but without programs to run. What is measured is the CPU time of each server's main thread, because a server
runs commands on that thread alone: the ceiling is the verdicts per second of that CPU time. On a machine with few
cores, that is more exact than elapsed time, which includes the clients'.

`python -m loadtest.redis_ceiling` prints a table and writes `results/redis_ceiling.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.connection import HiredisRespSerializer, UnixDomainSocketConnection
from redis.exceptions import RedisError

from loadtest.load_generator import MeasurementFailed
from loadtest.temporary_service import find_free_port
from sandbox.processes import embedded_redis
from sandbox.queue import job_batch, redis_keys
from sandbox.queue.cluster import TaggingPacker
from sandbox.queue.job_batch import Item
from sandbox.queue.result_reader import COLLECT, MAX_MESSAGES_PER_ROUND
from sandbox.queue.result_writer import encode_message, push_results
from sandbox.request_context import generate_id
from sandbox.schema import ExecuteRequest, Lane

TAGS = ("b", "a")  # tags whose slots are on the first and on the second of two masters that share all slots
SLOTS = 16_384
BATCH_SIZES = (1, 8, 64)
CONNECTIONS = 32
START_TIMEOUT_S = 20.0
RESULT = b"x" * 1_788  # like the PROGRAM, of the size that the capacity page measured
PROGRAM = "import sys\n" + "total = sum(int(word) for word in sys.stdin.read().split())\n" * 8 + "print(total)\n"

Command = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """CPU microseconds per verdict of each server's main thread, and what follows for all of them together."""

    servers: int
    batch_size: int
    cpu_us: list[float]

    @property
    def verdicts_per_s(self) -> float:
        return 1e6 / max(self.cpu_us)


class Recorder(Redis):  # type: ignore[misc]
    """Records commands instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[Command] = []

    def execute_command(self, *words: Any, **options: Any) -> Any:
        self.commands.append(words)
        return [0, 0]


def record_batch(size: int, reader: str, number: int) -> list[list[Command]]:
    """Return the commands of one batch of `size` items, by round trip. The reader collects it in round `number`."""
    recorder = Recorder()
    pipeline = Pipeline(recorder.connection_pool, {}, False, None)
    request = ExecuteRequest(language="python", code=PROGRAM)
    item = Item(submission=generate_id(), index=0, submitted_at=time.time(), reader=reader, execute=request)
    content = item.model_dump_json(exclude_unset=True).encode()
    queue = job_batch.get_lane_queue(Lane.DEFAULT, recorder)
    batch_id = job_batch.send(recorder, queue, [[content] * size], time.time(), 60).ids[0]
    job_batch.claim(pipeline, batch_id, "worker")
    claim = _drain(pipeline)
    push_results(pipeline, reader, [encode_message(item.id, RESULT)] * size)
    pipeline.decrby(redis_keys.depth(Lane.DEFAULT), size)
    job_batch.delete_batch(pipeline, Lane.DEFAULT, batch_id)
    results = [("MULTI",), *_drain(pipeline), ("EXEC",)]
    return [
        recorder.commands,
        [("BLPOP", *(redis_keys.rq_queue(lane) for lane in redis_keys.LANES), 1)],
        claim,
        results,
        _record_collection(reader, number),
        _record_publication(pipeline, size),
    ]


def _drain(pipeline: Pipeline) -> list[Command]:
    commands = [words for words, _ in pipeline.command_stack]
    pipeline.command_stack = []
    return commands


def _record_collection(reader: str, number: int) -> list[Command]:
    inbox, here = redis_keys.messages(reader), redis_keys.messages_in_round(reader, number)
    keys = [inbox, here, redis_keys.messages_in_round(reader, 1 - number)]
    collect = ("EVAL", COLLECT, len(keys), *keys, MAX_MESSAGES_PER_ROUND, redis_keys.MESSAGES_TTL_S)
    return [("BLMOVE", inbox, here, "LEFT", "RIGHT", 1), collect]


def _record_publication(pipeline: Pipeline, size: int) -> list[Command]:
    """Return the commands that add one batch to the live view. A busy worker adds several batches at a time."""
    pipeline.lpush(redis_keys.RECENT_RESULTS, *[RESULT] * size)
    pipeline.ltrim(redis_keys.RECENT_RESULTS, 0, 499)
    pipeline.expire(redis_keys.RECENT_RESULTS, 86_400)
    for key in (redis_keys.verdict_counts(1), redis_keys.verdict_history(1)):
        pipeline.hincrby(key, "1 AC", size)
        pipeline.expire(key, 300)
    return _drain(pipeline)


class Replay:
    """Connections to one server, each of which sends the round trips of batches of its own, in two alternating rounds.

    `tag` is the hash tag of all keys, if any.
    """

    def __init__(self, build_connection: Callable[[], Any], size: int, tag: str) -> None:
        self._connections = [build_connection() for _ in range(CONNECTIONS)]
        for connection in self._connections:
            connection.connect()
        packer = HiredisRespSerializer()
        pack = TaggingPacker(packer, tag).pack if tag else packer.pack
        self._round = 0
        self._rounds = [
            [_pack_trips(record_batch(size, f"reader-{place}", number), pack) for place in range(CONNECTIONS)]
            for number in (0, 1)
        ]

    def run(self) -> None:
        """Run one batch on each connection: all send a round trip, then all read its replies."""
        batches = self._rounds[self._round]
        self._round = 1 - self._round
        for trips in zip(*batches, strict=True):
            for connection, (data, _) in zip(self._connections, trips, strict=True):
                connection.send_packed_command([data], check_health=False)
            for connection, (_, replies) in zip(self._connections, trips, strict=True):
                for _ in range(replies):
                    connection.read_response()

    def close(self) -> None:
        for connection in self._connections:
            connection.disconnect()


def _pack_trips(batch: Sequence[Sequence[Command]], pack: Callable[..., list[bytes]]) -> list[tuple[bytes, int]]:
    """Return the bytes and the number of replies of each round trip."""
    return [(b"".join(b"".join(pack(*words)) for words in trip), len(trip)) for trip in batch]


def measure(clients: Sequence[Redis], replays: Sequence[Replay], size: int, seconds: float) -> Ceiling:
    """Replay batches on all servers in turn for some seconds."""
    for replay in replays:
        replay.run()
    before = [_read_main_thread_s(client) for client in clients]
    batches, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for replay in replays:
            replay.run()
            batches += CONNECTIONS
    verdicts = batches * size
    used = [_read_main_thread_s(client) - start for client, start in zip(clients, before, strict=True)]
    return Ceiling(len(clients), size, [round(one / verdicts * 1e6, 2) for one in used])


def _read_main_thread_s(client: Redis) -> float:
    found = client.info("cpu")
    return float(found["used_cpu_user_main_thread"] + found["used_cpu_sys_main_thread"])


@contextmanager
def run_servers(folder: Path, number: int) -> Iterator[list[Redis]]:
    """Run one server as `sandbox up` does, or several masters of a cluster that share its slots."""
    with ExitStack() as at_end:
        clients = []
        for place in range(number):
            home = folder / f"{number}-{place}"
            home.mkdir()
            words = ["--cluster-enabled", "yes", "--port", str(find_free_port()), "--cluster-port"]
            cluster = [*words, str(find_free_port())] if number > 1 else []
            server = subprocess.Popen([*embedded_redis.build_command(home), *cluster], stdout=subprocess.DEVNULL)
            at_end.callback(server.wait)
            at_end.callback(server.kill)
            clients.append(at_end.enter_context(Redis(unix_socket_path=str(home / "redis.sock"))))
            _wait_for(clients[-1])
        if number > 1:
            _share_slots(clients)
        yield clients


def _share_slots(clients: Sequence[Redis]) -> None:
    for place, client in enumerate(clients):
        first, end = SLOTS * place // len(clients), SLOTS * (place + 1) // len(clients)
        client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
    ports = [client.config_get("*port") for client in clients]
    for client in clients[1:]:
        client.execute_command("CLUSTER MEET", "127.0.0.1", ports[0]["port"], ports[0]["cluster-port"])
    deadline = time.monotonic() + START_TIMEOUT_S
    while not all(client.cluster("INFO")["cluster_state"] == "ok" for client in clients):
        if time.monotonic() > deadline:
            raise MeasurementFailed("the cluster does not start")
        time.sleep(0.05)


def _wait_for(client: Redis) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            client.ping()
            return
        except RedisError as error:
            if time.monotonic() > deadline:
                raise MeasurementFailed(f"the server does not start: {error}") from error
            time.sleep(0.05)


def run(seconds: float) -> list[Ceiling]:
    """Measure one server and two masters, for each batch size."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ceiling-") as folder:
        for number in (1, len(TAGS)):
            with run_servers(Path(folder), number) as clients:
                for size in BATCH_SIZES:
                    found.append(_measure_size(clients, size, seconds))
    return found


def _measure_size(clients: Sequence[Redis], size: int, seconds: float) -> Ceiling:
    tags = TAGS if len(clients) > 1 else ("",)
    replays = []
    for client, tag in zip(clients, tags, strict=True):
        path = client.connection_pool.connection_kwargs["path"]
        replays.append(Replay(partial(UnixDomainSocketConnection, path=path), size, tag))
    try:
        return measure(clients, replays, size, seconds)
    finally:
        for replay in replays:
            replay.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest.redis_ceiling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="per batch size and number of servers")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the JSON file")
    options = parser.parse_args()
    found = run(options.seconds)
    one = {ceiling.batch_size: ceiling.verdicts_per_s for ceiling in found if ceiling.servers == 1}
    for ceiling in found:
        ratio = ceiling.verdicts_per_s / one[ceiling.batch_size]
        print(
            f"{ceiling.servers} servers, batches of {ceiling.batch_size:2}: {ceiling.cpu_us} us of CPU per verdict,"
            f" {ceiling.verdicts_per_s:,.0f} verdicts/s, {ratio:.2f} times one server"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "redis_ceiling.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
