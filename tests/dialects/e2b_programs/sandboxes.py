"""Calls of the package `e2b`, as its users write them. Prints what they return, as one line of JSON."""

import json
import time
from typing import Any

from e2b import CommandExitException, Sandbox, SandboxQuery, TimeoutException

found: dict[str, Any] = {}
sandbox = Sandbox.create(timeout=120, metadata={"run": "a b/1"}, envs={"NAME": "value"})
info = sandbox.get_info()
found["info"] = [info.sandbox_id == sandbox.sandbox_id, info.metadata, info.state.value, info.memory_mb]
found["left"] = 120 <= (info.end_at - info.started_at).total_seconds() < 130
sandbox.set_timeout(300)
found["extended"] = 300 <= (sandbox.get_info().end_at - info.started_at).total_seconds() < 330
found["running"] = sandbox.is_running()
same = Sandbox.connect(sandbox.sandbox_id, timeout=60)
found["connected"] = [same.sandbox_id == sandbox.sandbox_id, same.commands.run("echo $NAME").stdout]

result = sandbox.commands.run("echo out; echo err >&2")
found["foreground"] = [result.stdout, result.stderr, result.exit_code]
pieces: list[str] = []
sandbox.commands.run("echo a; sleep 0.1; echo b", on_stdout=pieces.append)
found["pieces"] = "".join(pieces)
found["place"] = sandbox.commands.run("pwd; echo $X", cwd="/tmp", envs={"X": "y"}).stdout
found["home"] = sandbox.commands.run("echo here > /home/user/made; cat made").stdout
try:
    sandbox.commands.run("echo before; exit 3")
except CommandExitException as error:
    found["failed"] = [error.exit_code, error.stdout]
try:
    sandbox.commands.run("sleep 30", timeout=0.5)
except TimeoutException:
    found["late"] = True
while sandbox.commands.list():  # the service ends the command at the same limit
    time.sleep(0.05)

server = sandbox.commands.run("while sleep 0.1; do echo tick; done", background=True, timeout=0)
found["listed"] = [[each.pid == server.pid, each.cmd, each.args[-1]] for each in sandbox.commands.list()]
other = sandbox.commands.connect(server.pid, timeout=0)
found["tick"] = next(iter(other))[0]
found["beside"] = sandbox.commands.run("echo beside").stdout
found["killed"] = [server.kill(), sandbox.commands.kill(999_999)]
for each in (server, other):
    try:
        each.wait()
    except CommandExitException as error:
        found["signal"] = [error.exit_code, error.error]
found["left_over"] = sandbox.commands.list()
reader = sandbox.commands.run("cat", background=True, stdin=True)
sandbox.commands.send_stdin(reader.pid, "typed")
sandbox.commands.close_stdin(reader.pid)
found["typed"] = reader.wait().stdout

files = sandbox.files
written = files.write("/home/user/d/one.txt", "one")
found["written"] = [written.name, written.path]
found["many"] = [
    each.path for each in files.write_files([{"path": "a", "data": b"\r\n--x\0"}, {"path": "b", "data": "b"}])
]
found["read"] = [files.read("d/one.txt"), bytes(files.read("a", format="bytes")).hex()]
found["stream"] = b"".join(files.read("b", format="stream")).decode()
found["compressed"] = files.write("c", "c" * 100, gzip=True).path
found["dirs"] = [files.make_dir("e/f"), files.make_dir("e/f")]
found["entries"] = sorted([each.path, each.type.value] for each in files.list("/home/user", depth=2))
about = files.get_info("d/one.txt")
found["about"] = [about.name, about.size, about.permissions, about.type.value, about.owner]
found["renamed"] = files.rename("d/one.txt", "e/two.txt").path
files.remove("e/f")
files.remove("e/f")
found["exists"] = [files.exists(path) for path in ("e/two.txt", "d/one.txt", "e/f", "/home/user")]
found["seen"] = sandbox.commands.run("cat e/two.txt").stdout

fork = sandbox.fork(count=1, timeout=60)[0]
fork.files.write("b", "changed")
found["fork"] = [fork.files.read("b"), sandbox.files.read("b")]
others = [Sandbox.create(metadata={"run": "many"}) for _ in range(2)]
pages = Sandbox.list(SandboxQuery(metadata={"run": "many"}), limit=1)
listed = []
while pages.has_next:
    listed.append([each.sandbox_id for each in pages.next_items()])
found["pages"] = listed == [[each.sandbox_id] for each in reversed(others)]
found["by_metadata"] = len(Sandbox.list(SandboxQuery(metadata={"run": "a b/1"})).next_items())
found["kills"] = [each.kill() for each in (*others, fork, sandbox, sandbox)]
found["stopped"] = sandbox.is_running()
print(json.dumps(found))
