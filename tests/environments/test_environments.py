"""Environments in a real service: programs, votes, rewards and sessions run in them, each in its own version."""

from __future__ import annotations

import io
import re
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.client import AsyncClient, Client
from sandbox.config import ApiSettings
from sandbox.errors import BadRequest, EnvironmentFailed
from sandbox.gpu.evaluation.evaluation_job import ProblemJudge, choose_limits
from sandbox.gpu.serving.verdicts import CompletionJudge
from sandbox.gpu.training.reward_options import build_reward_options
from sandbox.runner.contract import Status, Verdict
from sandbox.schema.environments import EnvironmentRequest
from sandbox.schema.gpu import EvaluateRequest, GrpoRequest, Verification
from sandbox.trainers.function import AsyncRewardFunction
from tests.environments.conftest import BUILT_IDS, SECRET
from tests.sessions.session_hosts import SessionHosts
from tests.worker_processes import WorkerProcesses

PROGRAM = "import answer\nprint(answer.ANSWER)"
PACKAGES = ["roman==5.0"]
MEASURES_ITSELF = "import roman, sys\nprint(sys.modules and roman.toRoman(42))"  # runs as `python3 main.py`, not forked
COMPARES_NUMERALS = """import sys, roman
_, given, answer = (open(name).read() for name in sys.argv[1:4])
sys.exit(roman.fromRoman(given.strip()) != roman.fromRoman(answer.strip()))
"""
SLEEP = "import time\ntime.sleep(0.5)"


def define(answer: int, **fields: object) -> EnvironmentRequest:
    """An environment that no host has built, with a module `answer`."""
    files = {"answer.py": f"ANSWER = {answer}".encode(), "nonce": uuid.uuid4().bytes}
    definition = EnvironmentRequest.model_validate({"files": files, **fields})
    BUILT_IDS.add(definition.compute_id())
    return definition


def execute(client: Client, environment: str, code: str = PROGRAM) -> str:
    result = client.execute({"language": "python", "code": code, "environment": environment})
    assert result.status is Status.OK, result
    return result.stdout.strip()


def submit_behind_another(client: Client, environment: str) -> str:
    """Submit a program while the only slot runs another, and return its job."""
    client.submit("execute", {"language": "python", "code": SLEEP})
    return client.submit("execute", {"language": "python", "code": PROGRAM, "environment": environment}).id


def wait_for_output(client: Client, job_id: str) -> str:
    return str((client.wait(job_id, 60.0).result or {})["stdout"])


def make_source_package(setup: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in {"setup.py": setup, "PKG-INFO": "Metadata-Version: 2.1\nName: probe\nVersion: 1\n"}.items():
            entry = tarfile.TarInfo(f"probe-1/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


@pytest.fixture(scope="module")
def numerals(client: Client) -> Iterator[str]:
    """An environment with a Python package, a Debian package, and a module; built by the first program."""
    client.put_environment("numerals", define(42, pip=PACKAGES, apt=["sl"]))
    yield "numerals"
    client.remove_environment("numerals")


def test_the_first_program_waits_for_the_image_and_says_so(client: Client, numerals: str) -> None:
    check = "import os, roman, answer\nprint(roman.toRoman(answer.ANSWER), os.path.exists('/usr/games/sl'))"
    request = {"language": "python", "code": check, "environment": numerals}
    first, second = client.execute(request), client.execute(request)
    assert (first.stdout, second.stdout) == ("XLII True\n", "XLII True\n"), first
    assert first.image_time_s > 0.5
    assert second.image_time_s == 0.0
    assert execute(client, numerals, MEASURES_ITSELF) == "XLII"
    plain = client.execute({"language": "python", "code": check})
    assert "No module named 'roman'" in plain.stderr


def test_the_same_packages_under_another_name_are_not_built_again(client: Client, numerals: str) -> None:
    definition = define(7)
    names = ["one", "other"]
    infos = [client.put_environment(name, definition) for name in names]
    assert infos[0].id == infos[1].id
    request = {"language": "python", "code": PROGRAM}
    times = [client.execute({**request, "environment": name}).image_time_s for name in names]
    assert times[0] > 0.0 == times[1]
    expected = [numerals, *names]
    listed = [each.name for each in client.environments()]
    assert [name for name in listed if name in expected] == expected, "the Redis server also has those of other tests"
    for name in names:
        client.remove_environment(name)


def test_tests_of_all_kinds_votes_and_rewards_run_in_it(client: Client, numerals: str) -> None:
    code = (
        "import roman\ndef convert(number): return roman.toRoman(number)\nif __name__ == '__main__': print(convert(4))"
    )
    tests = [
        {"expected": "IV"},
        {"args": [9], "expected": "IX"},
        {"assert": "import roman\nassert convert(5) == roman.toRoman(5)"},
        {
            "pytest": "import roman\nfrom solution import convert\ndef test(): assert convert(6) == roman.toRoman(6)",
            "modules": ["solution"],
        },
    ]
    checker = {"type": "program", "language": "python", "code": "import roman"}
    request = {"language": "python", "code": code, "environment": numerals, "entry_point": "convert"}
    assert client.verify({**request, "tests": tests}).verdict is Verdict.ACCEPTED
    assert client.verify({**request, "tests": tests[:1], "checker": checker}).verdict is Verdict.ACCEPTED
    candidates = [{"language": "python", "code": code}, {"language": "cpp", "code": "int main() {}"}]
    vote = client.vote({"candidates": candidates, "inputs": [""], "environment": numerals})
    assert vote.internal_errors == 0
    assert [candidate.compile_message for candidate in vote.candidates] == ["", ""]
    completions = [f"```python\n{code}\n```", "```python\nprint(4)\n```"]
    rewards = client.reward({"completions": completions, "tests": [tests[:1]], "environment": numerals})
    assert rewards.rewards == [1.0, 0.0]


def test_hacks_measures_of_tests_and_rewards_of_test_writers_run_in_it(client: Client, numerals: str) -> None:
    right, wrong = "import roman\nprint(roman.toRoman(int(input())))", "import roman\nprint('I' * int(input()))"
    programs = {
        "target": {"language": "python", "code": wrong},
        "references": [{"language": "python", "code": right}],
        "validators": [{"language": "cpp", "code": "int main() {}"}],
    }
    hack = client.hack({**programs, "input": "4", "environment": numerals})
    assert (hack.valid, hack.breaks, hack.expected) == (True, True, "IV\n"), hack
    tests = [{"stdin": "3", "expected": "III"}, {"stdin": "4", "expected": "IV"}]
    cpp = {"language": "cpp", "code": '#include <cstdio>\nint main() { puts("III"); }'}
    checker = {"type": "program", "language": "python", "code": COMPARES_NUMERALS}
    request = {"tests": tests, "right": [right], "wrong": [wrong, cpp], "environment": numerals}
    for judged in ({}, {"checker": checker}):
        report = client.quality({**request, **judged})
        assert (report.tpr, report.tnr, report.unjudged) == (1.0, 1.0, []), report
    mutants = client.quality({**request, "wrong": [], "mutants": {"count": 3}, "inputs": ["5"]})
    assert (mutants.tpr, mutants.unjudged, mutants.lost_inputs, mutants.unused_inputs) == (1.0, [], [], [])
    with pytest.raises(BadRequest, match="no program runs in the image python") as raised:
        client.quality({**request, "right": [cpp], "wrong": [cpp]})
    assert raised.value.field == "body.environment"
    rewards = client.reward(
        {
            "completions": ["```input\n4\n```"],
            "hacks": [programs],
            "policy": {"name": "hack"},
            "environment": numerals,
        }
    )
    assert rewards.rewards == [1.0]


async def test_gpu_jobs_judge_in_it(url: str, numerals: str) -> None:
    tests = [{"stdin": "4", "expected": "IV"}]
    code = "import roman\nprint(roman.toRoman(int(input())))"
    right, other, wrong = (f"```python\n{each}\n```" for each in (code, f"{code} # again", "print('IIII')"))
    answers = [right, wrong]
    problem = {"name": "p", "prompt": "", "tests": tests, "reference": code}
    request = EvaluateRequest.model_validate({"model": "m", "problems": [problem], "environment": numerals})
    assert request.problems is not None
    rl_task = {"prompt": "", "tests": tests}
    grpo = GrpoRequest.model_validate({"model": "m", "tasks": [rl_task], "environment": numerals})
    async with AsyncClient(url) as client:
        for source in ({"tests": [tests]}, {"vote": [["4"]]}):
            judge = CompletionJudge(client, Verification.model_validate({**source, "environment": numerals}))
            assert (await judge.judge(0, [right, other, wrong])).rewards == [1.0, 1.0, 0.0]
        alone = await judge.judge(0, [right])
        assert alone.vote is not None
        assert alone.vote["golden"]["completion"] is None, "one candidate cannot pass a vote"
        assert [each.cpu_time_s for each in await choose_limits(client, request.problems, request)] == [1.0]
        judging = ProblemJudge(client, request.problems, [request.limits], request.environment)
        assert (await judging.judge(0, answers)).correct == [True, False]
        options: Any = build_reward_options(grpo)
        assert await AsyncRewardFunction(client, options)(answers, [tests] * 2) == [1.0, 0.0]


def test_sessions_run_in_it_and_so_do_their_hidden_tests(
    client: Client, numerals: str, session_host: SessionHosts
) -> None:
    with client.session(environment=numerals) as session:
        info = session.describe()
        assert info.environment.startswith("numerals@")
        assert session.execute("import roman\ndef convert(n): return roman.toRoman(n)\nconvert(3)").result == {
            "text/plain": "'III'"
        }
        assert session.fork()[0].execute("roman.toRoman(8)").result == {"text/plain": "'VIII'"}
        result = session.verify([{"args": [9], "expected": "IX"}], entry_point="convert")
        assert result.verdict is Verdict.ACCEPTED
    with client.session() as session:
        assert session.execute("import roman").error is not None


def test_an_update_changes_no_accepted_work_and_both_versions_run_beside_each_other(client: Client) -> None:
    first = client.put_environment("versions", define(1))
    queued = submit_behind_another(client, "versions")
    second = client.put_environment("versions", define(2))
    assert first.id != second.id
    assert execute(client, "versions") == "2"
    assert execute(client, f"versions@{first.id}") == "1"
    assert wait_for_output(client, queued) == "1\n"


def test_a_removed_environment_still_serves_what_was_accepted(client: Client) -> None:
    client.put_environment("removed", define(3))
    queued = submit_behind_another(client, "removed")
    client.remove_environment("removed")
    with pytest.raises(BadRequest, match="no environment 'removed'") as raised:
        execute(client, "removed")
    assert raised.value.field == "body.environment"
    assert wait_for_output(client, queued) == "3\n"


def test_a_failed_build_is_no_verdict_and_shows_the_end_of_its_log(client: Client, session_host: SessionHosts) -> None:
    client.put_environment("broken", define(4, pip=["no-such-package-of-anyone==1.0"]))
    request = {"language": "python", "code": PROGRAM, "environment": "broken"}
    executed = client.execute(request)
    assert executed.status is Status.INTERNAL_ERROR
    assert re.search(r"step pip: exit code 1\n(.*\n)*.*no-such-package-of-anyone", executed.message)
    judged = client.verify({**request, "tests": [{"expected": "42"}] * 2})
    assert (judged.verdict, judged.passed) == (Verdict.INTERNAL_ERROR, 0)
    assert "no-such-package-of-anyone" in judged.tests[1].message
    candidates = [{"language": "python", "code": PROGRAM}]
    vote = client.vote({"candidates": candidates, "inputs": [""], "environment": "broken"})
    assert vote.internal_errors == 1
    assert "no-such-package-of-anyone" in vote.internal_error
    with pytest.raises(EnvironmentFailed, match="no-such-package-of-anyone"), client.session(environment="broken"):
        pass
    client.remove_environment("broken")


def test_a_build_has_the_network_but_no_secret_and_its_programs_have_no_network(
    client: Client, url: str, settings: ApiSettings
) -> None:
    port = int(url.rpartition(":")[2])  # of the API
    setup = f"""
import os, pathlib, socket, struct
from setuptools import setup  # downloaded for this build
route = next(line.split() for line in open("/proc/net/route").readlines()[1:] if line.split()[1] == "00000000")
gateway = socket.inet_ntoa(struct.pack("<I", int(route[2], 16)))
def reach(host, port):
    try:
        socket.create_connection((host, port), 2).close()
        return "open"
    except OSError as error:
        return type(error).__name__
found = [gateway, reach(gateway, 1), reach("127.0.0.1", {port}), reach(gateway, {port}), sorted(os.environ)]
for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
    found.append(path.read_bytes())
found.append([os.path.exists({str(settings.home)!r}), *os.listdir("/run/sandbox")])
pathlib.Path("probe.py").write_text("FOUND = " + repr(found))
setup(name="probe", version="1", py_modules=["probe"])
"""
    files = {"probe-1.tar.gz": make_source_package(setup), "nonce": uuid.uuid4().bytes}
    definition = EnvironmentRequest(pip=["./probe-1.tar.gz"], files=files)
    BUILT_IDS.add(definition.compute_id())
    client.put_environment("probe", definition)
    code = f"""
import errno, json, probe, socket
def reach(host):
    try:
        socket.create_connection((host, {port}), 2)
    except OSError as error:
        return errno.errorcode[error.errno]
print(reach(probe.FOUND[0]), reach("127.0.0.1"), probe.FOUND)
"""
    printed = execute(client, "probe", code)
    assert printed.startswith("ENETUNREACH ECONNREFUSED"), printed
    found = eval(printed.split(maxsplit=2)[2])
    assert found[1:4] == ["ConnectionRefusedError"] * 3, found[:4]
    assert SECRET not in printed
    assert "SANDBOX_" not in printed
    assert found[-1] == [False]
    client.remove_environment("probe")


def test_a_build_occupies_one_slot_and_the_others_run_other_programs(client: Client, workers: WorkerProcesses) -> None:
    workers.start()
    client.put_environment("slow", define(5))
    program = {"language": "python", "code": PROGRAM, "environment": "slow"}
    jobs = [client.submit("execute", program) for _ in range(4)]
    assert client.execute({"language": "python", "code": "print(6)"}).stdout == "6\n"
    assert {client.job(job.id).result is None for job in jobs} == {True}, "the build is not over"
    results = [client.wait(job.id, 60.0).result or {} for job in jobs]
    assert [result["stdout"] for result in results] == ["5\n"] * 4
    assert sum(result["image_time_s"] > 0.0 for result in results) == 1, "one worker waited for the build"
    client.remove_environment("slow")
