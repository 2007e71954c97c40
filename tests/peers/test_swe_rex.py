"""SWE-ReX's own remote runtime, unmodified, with the URL of the dialect."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import httpx
import pytest

from tests.conftest import require_python
from tests.peers.conftest import KEY
from tests.virtualenvs import CLIENTS, ROOT, build_environment

CLIENT_SCRIPT = """
import asyncio, json, sys, tempfile
from contextlib import redirect_stdout
from pathlib import Path
from swerex.runtime.abstract import (
    BashAction, BashInterruptAction, CloseBashSessionRequest, Command, CreateBashSessionRequest, ReadFileRequest,
    UploadRequest, WriteFileRequest,
)
from swerex.runtime.remote import RemoteRuntime

url, keyed_url, key, nowhere = sys.argv[1:]
report = {}

async def fault(name, call):
    try:
        report[name] = ["no error", str(await call)]
    except Exception as error:
        report[name] = [type(error).__name__, str(error)]

async def main():
    runtime = RemoteRuntime(host=f"{url}/first", auth_token="", timeout=10)
    await runtime.wait_until_alive(timeout=10)
    report["alive"] = bool(await runtime.is_alive())
    await fault("too early", runtime.run_in_session(BashAction(command="true")))
    await fault("no container", runtime.execute(Command(command=["true"])))
    report["created"] = (await runtime.create_session(CreateBashSessionRequest())).output
    await fault("twice", runtime.create_session(CreateBashSessionRequest()))
    await fault("second shell", runtime.create_session(CreateBashSessionRequest(session="other")))

    async def run(command, **fields):
        ran = await runtime.run_in_session(BashAction(command=command, **fields))
        return [ran.output, ran.exit_code]

    await run("mkdir -p d; cd d; export X=20")
    report["kept"] = await run("basename $PWD; echo $((X + 22)); echo late >&2")
    await fault("exit code", run("echo before; (exit 3)", error_msg="the build failed"))
    report["silent"] = await run("(exit 3)", check="silent")
    report["ignored"] = await run("(exit 3)", check="ignore")
    report["syntax"] = await run("if", check="silent")
    await fault("timeout", run("echo begun; sleep 60", timeout=0.5))
    report["after"] = await run("echo $X")
    await fault("interactive", run("python3", is_interactive_command=True))
    await fault("expect", run("python3", expect=[">>>"]))
    sleeping = asyncio.create_task(run("sleep 60", check="silent"))
    await asyncio.sleep(0.5)
    await runtime.run_in_session(BashInterruptAction())
    report["interrupted"] = (await sleeping)[1] != 0

    async def execute(command, **fields):
        ran = await runtime.execute(Command(command=command, **fields))
        return [ran.stdout, ran.stderr, ran.exit_code]

    report["list"] = await execute(["echo", "a b", "$X"])
    report["shell"] = await execute("echo $X; echo err >&2; exit 2", shell=True, env={"X": "a b"})
    report["merged"] = await execute("echo out; echo err >&2", shell=True, merge_output_streams=True)
    report["place"] = await execute("basename $PWD", shell=True, cwd="d")
    await fault("checked", execute(["false"], check=True))
    await fault("late command", execute(["sleep", "60"], timeout=0.5))
    await runtime.write_file(WriteFileRequest(path="/home/user/notes/a.txt", content="one\\ntwo \\u00e9"))
    report["read"] = (await runtime.read_file(ReadFileRequest(path="notes/a.txt"))).content
    report["latin"] = (await runtime.read_file(ReadFileRequest(path="notes/a.txt", encoding="latin-1"))).content[-2:]
    report["bytes"] = (await execute("wc -c < notes/a.txt", shell=True))[0].strip()
    for name, request in {
        "missing": ReadFileRequest(path="missing.txt"),
        "outside": ReadFileRequest(path="/etc/passwd"),
        "encoding": ReadFileRequest(path="notes/a.txt", encoding="ascii"),
    }.items():
        await fault(name, runtime.read_file(request))
    await fault("too large", runtime.write_file(WriteFileRequest(path="big", content="x" * (17 << 20))))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "tools"
        (source / "inner").mkdir(parents=True)
        (source / "inner" / "run.sh").write_bytes(b"echo ran\\r\\n--x")
        await runtime.upload(UploadRequest(source_path=str(source), target_path="up/tools"))
        await runtime.upload(UploadRequest(source_path=str(source / "inner" / "run.sh"), target_path="one.sh"))
    compare = "ls up; head -1 up/tools/inner/run.sh; cmp one.sh up/tools/inner/run.sh"
    report["uploaded"] = await execute(compare, shell=True)
    other = RemoteRuntime(host=f"{url}/second", auth_token="", timeout=10)
    await other.create_session(CreateBashSessionRequest(session="mine"))
    stranger = await other.run_in_session(BashAction(command="echo [$X]; ls", session="mine"))
    report["separate"] = stranger.output
    await fault("wrong name", other.run_in_session(BashAction(command="true")))
    await fault("killed", other.run_in_session(BashAction(command="kill -9 $$", session="mine")))
    await fault("after kill", other.run_in_session(BashAction(command="true", session="mine")))
    await runtime.close_session(CloseBashSessionRequest())
    await fault("closed", run("true"))
    await fault("close again", runtime.close_session(CloseBashSessionRequest()))
    await runtime.close()
    await fault("no key", RemoteRuntime(host=f"{keyed_url}/x", auth_token="").execute(Command(command="true")))
    keyed = RemoteRuntime(host=f"{keyed_url}/x", auth_token=key, timeout=10)
    await keyed.create_session(CreateBashSessionRequest())
    report["key"] = (await keyed.run_in_session(BashAction(command="echo in"))).output
    await keyed.close()
    report["down"] = bool(await RemoteRuntime(host=nowhere, auth_token="", timeout=1).is_alive())

with redirect_stdout(sys.stderr):  # the client prints the names of exceptions
    asyncio.run(main())
print(json.dumps(report))
"""
FAULTS = {
    "too early": ("SessionDoesNotExistError", "create one"),
    "no container": ("SessionDoesNotExistError", "create one"),
    "twice": ("SessionExistsError", "its only session, default"),
    "second shell": ("SessionExistsError", "its only session, default"),
    "exit code": ("NonZeroExitCodeError", "the build failed: exit code 3; output: before"),
    "timeout": ("CommandTimeoutError", "output: begun"),
    "interactive": ("SwerexException", "no terminal"),
    "expect": ("SwerexException", "no terminal"),
    "checked": ("NonZeroExitCodeError", "exit code 1"),
    "late command": ("CommandTimeoutError", "0.5 s"),
    "missing": ("FileNotFoundError", "No such file"),
    "outside": ("SwerexException", "/etc/passwd is not"),
    "encoding": ("SwerexException", "cannot be decoded"),
    "too large": ("SwerexException", "the maximum is"),
    "wrong name": ("SessionDoesNotExistError", "no session default"),
    "killed": ("SessionDoesNotExistError", "the session has ended"),
    "after kill": ("SessionDoesNotExistError", "no session mine"),
    "closed": ("SessionDoesNotExistError", "no session default"),
    "close again": ("SessionDoesNotExistError", "no session default"),
    "no key": ("ClientResponseError", "401"),
}


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_the_remote_runtime_of_swe_rex(url: str, keyed_url: str) -> None:
    peer, keyed = f"{url}/dialects/swe_rex", f"{keyed_url}/dialects/swe_rex"
    command = [str(require_python(CLIENTS)), "-c", CLIENT_SCRIPT, peer, keyed, KEY.key, "http://127.0.0.1:9"]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-4000:]
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    for name, (kind, text) in FAULTS.items():
        found = report.pop(name)
        assert found[0] == kind, (name, found)
        assert text in found[1], (name, found)
    assert report.pop("syntax")[1] != 0
    assert report == {
        "alive": True,
        "created": "",
        "kept": ["d\n42\nlate\n", 0],
        "silent": ["", 3],
        "ignored": ["", None],
        "after": ["20\n", 0],
        "interrupted": True,
        "list": ["a b $X\n", "", 0],
        "shell": ["a b\n", "err\n", 2],
        "merged": ["out\nerr\n", "", 0],
        "place": ["d\n", "", 0],
        "read": "one\ntwo \u00e9",
        "latin": "\u00c3\u00a9",
        "bytes": "10",
        "uploaded": ["tools\necho ran\r\n", "", 0],
        "separate": "[]\n",
        "key": "in\n",
        "down": False,
    }
    assert httpx.get(f"{url}/sessions").json()["sessions"] == [], "a runtime left a session"


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_the_example_of_the_guide_prints_what_its_comment_says(url: str) -> None:
    page = (ROOT / "sandbox" / "docs" / "migration.md").read_text(encoding="utf-8")
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "swerex" in block]
    command = [str(require_python(CLIENTS)), "-c", source.replace("http://127.0.0.1:8080", url)]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == re.findall(r"# (\S+)$", source, re.MULTILINE), ended.stderr[-4000:]
