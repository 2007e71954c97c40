"""Runs inside a box after an attack: does an honest sum, and lists what of the earlier run it can still find."""

import json
import os
import socket
import sys

PROC = os.sep + "proc"  # not written out, so that this runs as a fork of the warm interpreter, as most programs do
VARIABLES = {"PATH", "LANG", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "HOME", "LC_CTYPE"}
PORTS = (7000, 7019, 8000)


def rows(name):
    """The lines of a table of the kernel's; none where it has no such table (gVisor)."""
    try:
        return open(f"{PROC}/{name}").readlines()
    except FileNotFoundError:
        return []


def leftovers():
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/box/program"):
        try:
            yield from (f"file {place}/{name!r}" for name in os.listdir(place))
        except OSError as error:
            if place in ("/tmp", "/dev/shm"):
                yield f"{place}: {error}"
    yield from (f"file {name!r}" for name in os.listdir() if name != "main" + ".py")
    for pid in filter(str.isdigit, os.listdir(PROC)):
        status = open(f"{PROC}/{pid}/status").read().split("\n")
        uid = next(line.split()[1] for line in status if line.startswith("Uid:"))
        if int(pid) != os.getpid() and uid != "0":
            yield f"process {status[0]} of uid {uid}"
    for kind in ("shm", "sem", "msg"):
        if len(rows(f"sysvipc/{kind}")) > 1:
            yield f"SysV {kind}"
    for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
        if len(rows(f"net/{table}")) > 1:
            yield f"{table} sockets"
    yield from (f"variable {name}" for name in os.environ if name not in VARIABLES)
    for descriptor in range(3, 64):
        try:
            yield f"descriptor {descriptor} of mode {os.fstat(descriptor).st_mode:o}"
        except OSError:
            pass
    for port in PORTS:
        try:
            with socket.socket() as server:
                server.bind(("127.0.0.1", port))
        except OSError as error:
            yield f"port {port}: {error}"


numbers = list(map(int, sys.stdin.read().split()))
for place in ("/tmp/mine", "/dev/shm/mine", "mine"):
    with open(place, "w") as file:
        file.write("x" * 1000)
    os.unlink(place)
found = sorted(leftovers())
print(json.dumps({"sum": sum(numbers), "count": len(numbers), "found": found}))
