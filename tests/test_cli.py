"""The command line: its output, where it goes, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import __version__
from sandbox.api.app import create_app
from sandbox.cli import demo, submissions
from sandbox.cli.jsonl import JsonlFile
from sandbox.config import ApiSettings, UpSettings
from sandbox.processes import doctor
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.gpu import GpuJob, GpuLease, Progress
from tests.api.fake_service import FakeService, SubmitCall
from tests.api.threaded_server import serve_in_thread

ROOT = Path(__file__).resolve().parent.parent
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there
RIGHT = {"language": "python", "code": "accepted", "tests": [{"stdin": "", "expected": ""}]}


class ScriptedService(FakeService):
    """Answers as a program's code says: with that verdict, or with that result as JSON."""

    def set_result(self, submitted: SubmitCall, index: int) -> None:
        request = submitted.requests[index]
        assert isinstance(request, ExecuteRequest | VerifyRequest)
        result = self._build_result(request)
        submitted.ticket.results[index].set_result(json.dumps({"id": str(index), **result}).encode())

    def _build_result(self, request: ExecuteRequest | VerifyRequest) -> dict[str, Any]:
        if isinstance(request, ExecuteRequest):
            result: dict[str, Any] = json.loads(request.code)
            return result
        verdict = next((shown.expected_verdict for shown in demo.PROGRAMS if shown.code == request.code), request.code)
        good = verdict == "accepted"
        tests = [{"verdict": verdict}] * len(request.tests)
        return {"verdict": verdict, "passed": int(good), "total": 1, "score": float(good), "tests": tests}


@pytest.fixture
def fake_service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def url(fake_service: ScriptedService, tmp_path: Path) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), fake_service)) as url:
        yield url


def run_sandbox(*words: str | Path, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        env={**environment, "PYTHONPATH": str(ROOT), **more},
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def read_stderr(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return stderr, which must never contain a traceback."""
    text = done.stderr.decode()
    assert "Traceback" not in text
    return text


def write_set(path: Path, lines: Sequence[object]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "main.py"


def test_help_lists_the_commands_and_loads_nothing_slow() -> None:
    code = (
        "import sys\nsys.argv = ['sandbox', '--help']\nfrom sandbox.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print({'docker', 'fastapi', 'redis', 'rq', 'pydantic', 'httpx', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for command in ("up", "down", "serve", "worker", "run", "verify", "demo", "doctor", "images"):
        assert f" {command} " in done.stdout
    assert "worker-slot" not in done.stdout
    panels = [
        "The service on this machine",
        "Run and judge programs",
        "Tasks and training",
        "Parts of a service on many hosts",
    ]
    assert [panel for panel in panels if f"─ {panel} ─" in done.stdout] == panels
    assert "To begin, run sandbox up --detach" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_version() -> None:
    assert run_sandbox("--version").stdout.decode() == f"{__version__}\n"


@pytest.mark.parametrize("command", ["run", "verify", "demo"])
def test_where_no_service_answers_it_says_how_to_start_one(command: str, program: Path) -> None:
    program.write_text(json.dumps(RIGHT))
    words = [] if command == "demo" else [program]
    done = run_sandbox(command, *words, SANDBOX_URL=NOWHERE)
    assert done.returncode == 69
    assert f"no service answers at {NOWHERE}" in read_stderr(done)
    assert "Start it with `sandbox up`" in read_stderr(done)


def test_a_url_that_is_none_is_refused(program: Path) -> None:
    done = run_sandbox("demo", "--url", "localhost:8080", COLUMNS="200")
    assert done.returncode == 2
    assert "is not a URL" in read_stderr(done)


def test_a_setting_that_does_not_fit_is_named() -> None:
    done = run_sandbox("serve", SANDBOX_PORT="many")
    assert done.returncode == 2
    assert "SANDBOX_PORT: Input should be a valid integer" in read_stderr(done)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"status": "ok", "exit_code": 0}, 0),
        ({"status": "runtime_error", "exit_code": 3}, 3),
        ({"status": "runtime_error", "signal": 11}, 139),
        ({"status": "runtime_error"}, 1),
        ({"status": "time_limit_exceeded", "signal": 9}, 124),
        ({"status": "memory_limit_exceeded", "signal": 9}, 137),
        ({"status": "output_limit_exceeded"}, 153),
        ({"status": "compile_error", "compile": {"status": "runtime_error", "exit_code": 1}}, 65),
        ({"status": "internal_error", "message": "the box [/] broke"}, 70),
    ],
    ids=lambda value: value["status"] if isinstance(value, dict) else str(value),
)
def test_run_leaves_with_the_programs_exit_code(url: str, program: Path, result: dict[str, Any], code: int) -> None:
    program.write_text(json.dumps(result))
    done = run_sandbox("run", program, SANDBOX_URL=url)
    assert done.returncode == code
    assert read_stderr(done).startswith(result["status"])
    assert result.get("message", "") in read_stderr(done)


def test_run_passes_on_both_streams_byte_for_byte(url: str, program: Path) -> None:
    result = {"status": "ok", "stdout": "\ufffd", "stdout_base64": "/wA=", "stderr": "why\n", "exit_code": 0}
    program.write_text(json.dumps(result))
    done = run_sandbox("run", program, "--url", url)
    assert done.stdout == b"\xff\0"
    assert done.stderr.startswith(b"why\nok  cpu 0.0 ms")


def test_run_shows_what_the_compiler_said(url: str, program: Path) -> None:
    compiled = {"status": "runtime_error", "exit_code": 1, "stderr": "main.cpp:1: error [-Wall]\n"}
    program.write_text(json.dumps({"status": "compile_error", "compile": compiled}))
    assert read_stderr(run_sandbox("run", program, "-l", "cpp", "--url", url)).startswith("main.cpp:1: error [-Wall]\n")


def test_run_sends_input_arguments_limits_and_language(url: str, fake_service: ScriptedService, program: Path) -> None:
    program.write_text('{"status": "ok", "exit_code": 0}')
    given = program.with_name("input")
    given.write_bytes(b"\xffbytes")
    limits = ["--cpu-time-s", "1.5", "--memory-mb", "64"]
    run_sandbox(
        "run", program, "--language", "bash", "--stdin", given, *limits, "--url", url, "-n", "5", "--", "--url", "x"
    )
    run_sandbox("run", program, "--url", url, stdin=b"typed")
    first, second = [submitted.requests[0] for submitted in fake_service.submissions]
    assert isinstance(first, ExecuteRequest)
    assert isinstance(second, ExecuteRequest)
    assert (first.language, first.stdin_bytes, first.args) == ("bash", b"\xffbytes", ["-n", "5", "--url", "x"])
    assert (first.limits.cpu_time_s, first.limits.memory_mb) == (1.5, 64)
    assert (second.language, second.stdin_bytes, second.limits.cpu_time_s) == ("python", b"typed", None)


@pytest.mark.parametrize(
    ("name", "code", "words", "fault"),
    [
        ("main.xyz", b"", [], "choose one with --language"),
        ("main.py", b"\xff", [], "is not UTF-8"),
        ("main.py", b"", ["--memory-mb", "1"], "memory_mb: Input should be greater than or equal to 16"),
    ],
)
def test_run_refuses_what_cannot_be(tmp_path: Path, name: str, code: bytes, words: list[str], fault: str) -> None:
    (tmp_path / name).write_bytes(code)
    done = run_sandbox("run", tmp_path / name, *words, "--url", NOWHERE)
    assert done.returncode == 64
    assert fault in read_stderr(done)


@pytest.mark.parametrize(
    "words", [["none.py"], [], ["--memory-mb", "many", "main.py"], ["main.py", "--url", "nowhere"]]
)
def test_run_never_leaves_a_usage_error_with_a_code_that_programs_use(words: list[str]) -> None:
    assert run_sandbox("run", *words).returncode == 64


def test_verify_counts_verdicts_and_is_content_with_all_accepted(url: str, tmp_path: Path) -> None:
    good = write_set(tmp_path / "good.jsonl", [RIGHT, "", RIGHT])
    done = run_sandbox("verify", good, "--url", url)
    assert done.returncode == 0, read_stderr(done)
    assert "100.0%" in done.stdout.decode()
    mixed = write_set(tmp_path / "mixed.jsonl", [RIGHT, {**RIGHT, "code": "wrong_answer"}])
    done = run_sandbox("verify", mixed, "--url", url)
    assert done.returncode == 1
    assert "wrong_answer" in done.stdout.decode()
    assert "50.0%" in done.stdout.decode()


def test_verify_writes_results_in_order_with_their_lines(url: str, tmp_path: Path) -> None:
    verdicts = ["accepted", "wrong_answer", "runtime_error", "accepted"]
    lines = [{**RIGHT, "code": verdict} for verdict in verdicts]
    given = write_set(tmp_path / "set.jsonl", [lines[0], "", *lines[1:]])
    out = tmp_path / "results.jsonl"
    run_sandbox("verify", given, "--out", out, "--url", url)
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(result["line"], result["verdict"]) for result in results] == list(zip([1, 3, 4, 5], verdicts, strict=True))


def test_verify_names_every_bad_line_and_judges_nothing(
    url: str, fake_service: ScriptedService, tmp_path: Path
) -> None:
    bad = [RIGHT, "{not json", {**RIGHT, "tests": []}, {**RIGHT, "laguage": "c"}, {**RIGHT, "language": "cobol"}]
    given = write_set(tmp_path / "set.jsonl", bad)
    done = run_sandbox("verify", given, "--url", url)
    assert done.returncode == 2
    faults = read_stderr(done).splitlines()[1:]
    for number, part in (
        (2, "Invalid JSON"),
        (3, "tests: List should"),
        (4, "laguage: Extra"),
        (5, "language 'cobol'"),
    ):
        assert any(f"line {number}: " in fault and part in fault for fault in faults), faults
    assert len(faults) == 4
    assert not fake_service.submissions


def test_a_program_in_place_of_json_lines_is_told_from_bad_lines(url: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)\n")
    done = run_sandbox("verify", tmp_path / "main.py", "--url", url)
    assert done.returncode == 2
    assert "main.py has no JSON lines, each with one submission. " in read_stderr(done)
    (tmp_path / "bad.JSON").write_text('{"language": 3}\n')
    assert "these lines are invalid" in read_stderr(run_sandbox("verify", tmp_path / "bad.JSON", "--url", url))


@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_misspelled_language_is_corrected(command: str, url: str, tmp_path: Path) -> None:
    given = write_set(tmp_path / "set.jsonl", [{**RIGHT, "language": "pyhton"}])
    options = ["--language", "pyhton"] if command == "run" else []
    assert "did you mean 'python'?" in read_stderr(run_sandbox(command, given, *options, "--url", url))


def test_a_list_with_nothing_in_it_says_so(url: str) -> None:
    done = run_sandbox("jobs", "--url", url)
    assert "there are no GPU jobs" in read_stderr(done)
    assert done.stdout == b""


@pytest.mark.parametrize("word", ["-", "/dev/stdin"])
def test_verify_reads_standard_input(word: str, url: str, tmp_path: Path) -> None:
    given = write_set(tmp_path / "set.jsonl", [RIGHT, {**RIGHT, "code": "wrong_answer"}]).read_bytes()
    done = run_sandbox("verify", word, "--out", "-", "--url", url, stdin=given)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["line"], row["verdict"]) for row in rows] == [(1, "accepted"), (2, "wrong_answer")]
    assert "50.0%" in read_stderr(done)


def test_verify_names_a_bad_line_of_standard_input(url: str) -> None:
    done = run_sandbox("verify", "-", "--url", url, stdin=b"{}\n")
    assert done.returncode == 2
    assert "standard input, line 1: language" in read_stderr(done)


def test_verify_names_a_file_that_is_not_there(url: str, tmp_path: Path) -> None:
    done = run_sandbox("verify", tmp_path / "none.jsonl", "--url", url)
    assert done.returncode == 2
    assert f"cannot read {tmp_path}/none.jsonl: No such file or directory" in read_stderr(done)


def test_verify_continues_behind_the_results_that_are_there(
    url: str, fake_service: ScriptedService, tmp_path: Path
) -> None:
    given = write_set(tmp_path / "set.jsonl", [{**RIGHT, "limits": {"memory_mb": 100 + n}} for n in range(5)])
    out = tmp_path / "results.jsonl"
    run_sandbox("verify", given, "--out", out, "--url", url)
    whole = out.read_bytes()
    out.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + b'{"line": 3, "verd')  # like an interrupted command
    fake_service.submissions.clear()
    done = run_sandbox("verify", given, "--out", out, "--url", url)
    assert "has 2 of 5 results; continuing" in read_stderr(done)
    assert done.returncode == 0
    assert "100.0%" in done.stdout.decode()
    assert sum(len(submitted.requests) for submitted in fake_service.submissions) == 3
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [line["line"] for line in lines] == [1, 2, 3, 4, 5]


def test_verify_never_overwrites_other_results(url: str, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    run_sandbox("verify", write_set(tmp_path / "a.jsonl", [RIGHT]), "--out", out, "--url", url)
    before = out.read_bytes()
    other = write_set(tmp_path / "b.jsonl", [{**RIGHT, "code": "wrong_answer"}])
    done = run_sandbox("verify", other, "--out", out, "--url", url)
    assert (done.returncode, out.read_bytes()) == (2, before)
    assert "contains the results of another input" in read_stderr(done)
    done = run_sandbox("verify", other, "--out", other, "--url", url)
    assert done.returncode == 2
    assert "something other than results" in read_stderr(done)


def test_verify_writes_failures_alone_and_a_summary_for_machines(url: str, tmp_path: Path) -> None:
    given = write_set(tmp_path / "set.jsonl", [RIGHT, {**RIGHT, "code": "wrong_answer"}, RIGHT])
    out = tmp_path / "failed.jsonl"
    done = run_sandbox("verify", given, "--out", out, "--failed-only", "--json", "--url", url)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"total": 3, "verdicts": {"accepted": 2, "wrong_answer": 1}}
    assert [json.loads(line)["line"] for line in out.read_text().splitlines()] == [2]
    done = run_sandbox("verify", given, "--out", out, "--failed-only", "--url", url)
    assert done.returncode == 2
    assert "is not empty" in read_stderr(done)


@pytest.mark.parametrize("command", ["verify", "vote"])
def test_ctrl_c_says_what_is_kept_and_returns_at_once(command: str, tmp_path: Path) -> None:
    vote = {"candidates": [{"language": "python", "code": "print(1)"}] * 3, "inputs": [{"stdin": ""}]}
    given = write_set(tmp_path / "set.jsonl", [RIGHT if command == "verify" else vote])
    out = tmp_path / "results.jsonl"
    service = FakeService(held=True)
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), service)) as url:
        words = [sys.executable, "-m", "sandbox", command, str(given), "--out", str(out), "--url", url]
        with subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            with service.changed:
                assert service.changed.wait_for(lambda: service.submissions, 30)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
        with service.changed:
            assert service.changed.wait_for(lambda: service.abandoned, 30)
    assert process.returncode == 130
    assert f"interrupted after 0 of 1 results; they are saved in {out}" in err.decode()


def test_verify_has_something_to_judge(url: str, tmp_path: Path) -> None:
    done = run_sandbox("verify", write_set(tmp_path / "set.jsonl", [""]), "--url", url)
    assert done.returncode == 2
    assert "contains no submission" in read_stderr(done)


def test_a_line_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path) -> None:
    code = "print('\u2028\x85')"
    given = tmp_path / "set.jsonl"
    given.write_text(json.dumps({**RIGHT, "code": code}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [number for number, _ in JsonlFile("set", given)] == [1]


def test_a_long_set_travels_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "CHUNK_ITEMS", 3)
    monkeypatch.setattr(submissions, "CHUNK_BYTES", 100)
    given = write_set(tmp_path / "set.jsonl", ["x" * 10] * 4 + ["x" * 200, "x"])
    chunks = [[number for number, _ in chunk] for chunk in submissions._split_chunks(JsonlFile("set", given))]
    assert chunks == [[1, 2, 3], [4], [5], [6]]


def test_the_demo_is_content_when_every_verdict_is_as_it_must_be(url: str) -> None:
    done = run_sandbox("demo", SANDBOX_URL=url, COLUMNS="120")
    assert done.returncode == 0, read_stderr(done)
    for language in ("python", "cpp", "c", "javascript", "bash"):
        assert language in done.stdout.decode()


def test_the_demo_fails_when_a_verdict_differs(
    url: str, fake_service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_service, "_build_result", lambda request: {**RIGHT_RESULT, "tests": []})
    done = run_sandbox("demo", SANDBOX_URL=url)
    assert done.returncode == 1
    read_stderr(done)


RIGHT_RESULT = {"verdict": "accepted", "passed": 1, "total": 1, "score": 1.0}


def test_doctor_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    socket = f"unix://{tmp_path}/none.sock"
    done = run_sandbox("doctor", COLUMNS="300", DOCKER_HOST=socket, SANDBOX_HOME=str(tmp_path), SANDBOX_PORT="9")
    shown = done.stdout.decode()
    assert done.returncode == 1
    assert "required checks failed: follow the advice from top to bottom" in read_stderr(done)
    for word in ("seccomp", "cgroups", "namespaces", "redis server", "engine", "SANDBOX_ENGINE=local", "sandbox up"):
        assert word in shown
    rows = {" ".join(row.split()[:2]) for row in shown.splitlines() if row.strip()}
    assert rows >= {"missing engine", "optional service", "optional redis"}


def test_doctor_is_content_with_an_engine_and_images(images: dict[str, str], tmp_path: Path) -> None:
    done = run_sandbox("doctor", SANDBOX_HOME=str(tmp_path), SANDBOX_PORT="9", COLUMNS="300")
    assert done.returncode == 0, done.stdout.decode()
    for tag in images.values():
        assert tag in done.stdout.decode()
    assert "off, because SANDBOX_SESSIONS is 0" in done.stdout.decode()


def test_doctor_says_that_the_local_engine_holds_no_sessions(tmp_path: Path) -> None:
    settings = UpSettings(home=tmp_path, engine="local", sessions=10)
    [finding] = doctor._check_sessions(settings)
    assert (finding.name, finding.passed, finding.is_required) == ("sessions", False, True)
    assert finding.detail == "the local engine cannot hold sessions"


def test_building_images_that_are_there_prints_their_names(images: dict[str, str]) -> None:
    done = run_sandbox("images", "build")
    assert done.returncode == 0, read_stderr(done)
    assert sorted(done.stdout.decode().split()) == sorted(images.values())


@pytest.mark.parametrize(("name", "image"), [("python", "python"), ("cpp", "cpp"), ("native", "cpp"), ("web", "js")])
def test_an_image_is_built_by_its_name_or_its_former_name(images: dict[str, str], name: str, image: str) -> None:
    done = run_sandbox("images", "build", name)
    assert (done.returncode, done.stdout.decode().split()) == (0, [images[image]])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["pyhton"], "unknown image 'pyhton'; use one of cpp, python, js, jvm, compiled, scripting"),
        (["jvm", "--all"], "give image names or --all, not both"),
    ],
)
def test_an_image_that_cannot_be_built_is_refused_by_name(words: list[str], fault: str) -> None:
    done = run_sandbox("images", "build", *words)
    assert (done.returncode, read_stderr(done)) == (2, f"sandbox: {fault}\n")


@pytest.mark.usefixtures("images")
def test_images_are_listed_with_their_languages_and_how_to_build_them() -> None:
    rows = {
        line.split()[0]: line for line in run_sandbox("images", "list").stdout.decode().splitlines() if line.strip()
    }
    assert rows["python"].split()[1] == "yes"
    assert "bash" in rows["python"]
    assert rows["jvm"].split()[1] in {"yes", "no"}
    assert "kotlin" in rows["jvm"]


def test_jobs_says_who_holds_which_gpu_until_when(fake_service: ScriptedService, url: str) -> None:
    noon = 1_800_014_400.0
    fake_service.gpu_leases = [
        GpuLease(gpu="host/0", worker="host-1-gpu-0", job="gpu-1", until=noon),
        GpuLease(gpu="host/1", worker="host-1-gpu-1", until=noon + 5),
    ]
    shown = run_sandbox("jobs", "--url", url, TZ="UTC", COLUMNS="120").stdout.decode()
    assert [line for line in shown.splitlines() if "host/0" in line and "gpu-1" in line and "12:00:00" in line]
    assert [line for line in shown.splitlines() if "host/1" in line and "idle" in line and "12:00:05" in line]


def test_jobs_shows_whole_ids_and_why_a_job_failed_on_a_narrow_terminal(
    fake_service: ScriptedService, url: str
) -> None:
    job_id = f"gpu-{32 * 'e'}"
    progress = Progress(step=3, total=20, loss=0.5, message="the model is loading")
    running = GpuJob(id=job_id, status="running", kind="train_sft", progress=progress)
    queued = GpuJob(id=job_id[:-1] + "d", status="queued", kind="generate", note="no GPU worker is alive: start one")
    failed = running.model_copy(update={"id": job_id[:-1] + "f", "error": "exit code 1:\nTraceback\nno [torch] here"})
    fake_service.jobs |= {job.id: job for job in (running, failed, queued)}
    shown = run_sandbox("jobs", "--url", url, COLUMNS="80").stdout.decode()
    assert running.id in shown
    assert failed.id in shown
    assert "step 3/20" in shown
    assert "no GPU worker is alive" in " ".join(shown.split())
    assert "no [torch] here" in " ".join(shown.split())
