"""A real cluster of three Valkey or Redis masters with a replica each, whose nodes tests may kill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.processes.sandbox_command import find_free_port
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import PERSISTENCE, find_server_binary

SLOTS = 16_384
MASTERS = 3
NODE_TIMEOUT_MS = 1_000  # without an answer, after which the other masters promote a replica
OPTIONS = [
    *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--bind", "127.0.0.1"),
    *("--repl-diskless-sync-delay", "0", *PERSISTENCE),
]


class Node:
    """One server of the cluster."""

    def __init__(self, folder: Path) -> None:
        self.port = find_free_port()
        self._folder = folder / str(self.port)
        self._folder.mkdir()
        ports = ["--port", str(self.port), "--cluster-port", str(find_free_port())]
        self._command = [find_server_binary(), *ports, "--dir", str(self._folder), *OPTIONS]
        self.client = Redis("127.0.0.1", self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, *words: object) -> Any:
        return self.client.execute_command(*words)

    def read_state(self) -> dict[str, Any]:
        """Return the fields of INFO replication and CLUSTER INFO, or none while the node does not answer."""
        try:
            return {**self.client.info("replication"), **self.client.cluster("INFO")}
        except RedisError:
            return {}

    def close(self) -> None:
        self.client.close()
        self.kill()


class RedisCluster:
    """`start` before use, `close` after."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder) for _ in range(2 * MASTERS)]

    def build_url(self, query: str = "") -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes) + query

    def start(self) -> None:
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        for node in self.nodes:
            node.start()
        wait_until(lambda: all(node.read_state() for node in self.nodes), "all nodes answer")
        for place, master in enumerate(masters):
            first, end = SLOTS * place // MASTERS, SLOTS * (place + 1) // MASTERS
            master.call("CLUSTER ADDSLOTSRANGE", first, end - 1)
            master.call("CLUSTER SET-CONFIG-EPOCH", place + 1)
        bus_port = int(masters[0].client.config_get("cluster-port")["cluster-port"])
        for node in self.nodes[1:]:
            node.call("CLUSTER MEET", "127.0.0.1", masters[0].port, bus_port)
        wait_until(
            lambda: all(node.read_state().get("cluster_known_nodes") == "6" for node in self.nodes),
            "all nodes know each other",
        )
        for master, replica in zip(masters, replicas, strict=True):
            name = master.call("CLUSTER MYID").decode()
            wait_until(partial(_knows, replica, name), "a replica knows its master")
            replica.call("CLUSTER REPLICATE", name)
        wait_until(
            lambda: all(node.read_state().get("master_link_status") == "up" for node in replicas),
            "all replicas follow their masters",
        )
        wait_until(
            lambda: all(node.read_state().get("cluster_state") == "ok" for node in self.nodes), "the cluster is ok"
        )

    def find(self, port: int) -> Node:
        return next(node for node in self.nodes if node.port == port)

    def close(self) -> None:
        for node in self.nodes:
            node.close()


@contextmanager
def run_redis_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Run a cluster whose data is in `folder`."""
    cluster = RedisCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def _knows(node: Node, name: str) -> bool:
    return name in str(node.client.cluster("NODES"))
