"""A hostile session cannot reach what judges: the service, Redis, workers, their boxes, or another session."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.schema.sessions import SessionLanguage

# Each probe tries one way out, and returns what it reached: nothing, if the isolation holds.
PROBES = """
import glob, json, os, re, socket, threading, urllib.request

def reach(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect(address)
        except OSError:
            return []
        return [str(address)]

def reach_service():
    hosts = ["127.0.0.1", "172.17.0.1", "172.18.0.1", "169.254.169.254", "host.docker.internal"]
    found = [one for host in hosts for port in (API_PORT, REDIS_PORT, 80, 6379) for one in reach((host, port))]
    for family, address in ((socket.AF_INET6, ("::1", API_PORT)), (socket.AF_VSOCK, (2, 22))):
        try:
            found += reach(address, family)
        except OSError:  # the filter does not even allow the socket
            continue
    return found

def reach_unix_sockets():
    names = {line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if len(line.split()) > 7}
    names |= {REDIS_SOCKET, "/var/run/docker.sock", "/run/docker.sock", *glob.glob("/run/sandbox/*")}
    kinds = socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM
    paths = [name.replace("@", "\\0", 1) for name in names]
    return [one for path in paths for kind in kinds for one in reach(path, socket.AF_UNIX, kind)]

def write_what_is_shared():
    places = '''/run/sandbox/worker.sock /run/sandbox/reward.txt /opt/sandbox/sandbox/x.py /box/reward.txt /usr/bin/x
        /proc/sys/kernel/core_pattern /sys/fs/cgroup/memory/memory.limit_in_bytes /etc/hosts'''.split()
    written = []
    for place in places:
        try:
            open(place, "a").close()
            written.append(place)
        except OSError:
            continue
    return written

def see_processes():
    mine = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline", "rb").read()
            if re.search(b"uvicorn|redis-server|dockerd|containerd|SANDBOX_|pytest", command):
                mine.append(pid)
        except OSError:
            continue
    return mine

def see_others():
    return [name for name in os.environ if name.startswith("SANDBOX_")] + glob.glob("/box/*/work/*")

found = {probe.__name__: probe() for probe in
         (reach_service, reach_unix_sockets, write_what_is_shared, see_processes, see_others)}
print(json.dumps(found))
"""
LOOP = """
import threading
for _ in range(8):
    threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start()
"""


@pytest.fixture
def names(settings: ApiSettings, url: str) -> str:
    ports = f"API_PORT, REDIS_PORT = {urlsplit(url).port}, {urlsplit(settings.effective_redis_url).port or 6379}\n"
    return f"{ports}REDIS_SOCKET = {str(settings.home / 'redis.sock')!r}\n"


def test_a_session_reaches_nothing_that_judges(client: Client, names: str) -> None:
    with client.session() as session:
        answer = session.execute(names + PROBES, limits={"cpu_time_s": 30, "wall_time_s": 60})
        assert answer.error is None, answer.error
        assert json.loads(answer.stdout) == {
            "reach_service": [],
            "reach_unix_sockets": [],
            "write_what_is_shared": [],
            "see_processes": [],
            "see_others": [],
        }
    with client.session(language=SessionLanguage.BASH) as shell:
        program = f"python3 - <<'END'\n{names}{PROBES}END"
        answer = shell.command(program, limits={"cpu_time_s": 30, "wall_time_s": 60})
        assert answer.exit_code == 0, answer.stderr
        assert not any(json.loads(answer.stdout).values()), answer.stdout


def test_verdicts_are_right_beside_a_session_that_attacks(client: Client) -> None:
    request = {"language": "python", "code": "print(int(input()) * 2)", "tests": [{"stdin": "2", "expected": "4"}]}
    wrong = {**request, "code": "print(int(input()) * 3)"}
    with client.session() as session:
        session.execute(LOOP)
        session.execute(
            "import os\nos.makedirs('/tmp/main', exist_ok=True)\nopen('/tmp/main.py', 'w').write('print(4)')"
        )
        session.execute("for pid in range(2, 400):\n    try: os.kill(pid, 9)\n    except OSError: pass")
        results = client.verify_batch([request, wrong] * 8)
        assert [result.verdict for result in results] == ["accepted", "wrong_answer"] * 8
