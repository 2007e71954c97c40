"""Every log line about a submission carries its ids, from the client's header to the box and back."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from sandbox.cli import app
from tests.monitoring.conftest import ObservedService

TIMEOUT_S = 20.0
BATCH = {
    "items": [
        {"language": "python", "code": f"print({n})", "tests": [{"expected": "0"}], "priority": "bulk"}
        for n in range(2)
    ]
}
BOX_REPLACED = "box destroyed"  # the service's boxes last for six runs, so any submission may meet one that is due


def run_logs_command(observed: ObservedService, *words: str, stdin: str = "") -> Result:
    """Run `sandbox logs` in this process, which starts faster."""
    return CliRunner().invoke(app, ["logs", *words], input=stdin, env={"SANDBOX_HOME": str(observed.home)})


def wait_for_lines(observed: ObservedService, an_id: str) -> list[dict[str, Any]]:
    """Wait for the line that is written after the response."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        shown = run_logs_command(observed, an_id, "--json")
        if '"request finished"' in shown.stdout:
            lines = [json.loads(line) for line in shown.stdout.splitlines()]
            return [line for line in lines if not line["message"].startswith(BOX_REPLACED)]
        assert time.monotonic() < deadline, shown.output
        time.sleep(0.1)


def test_a_clients_id_leads_to_every_line_of_its_submission(observed: ObservedService) -> None:
    headers = {"X-Request-ID": "train-step-7"}
    answer = httpx.post(f"{observed.url}/verify/batch", json=BATCH, headers=headers, timeout=60, trust_env=False)
    assert answer.headers["X-Request-ID"] == "train-step-7"
    ids = [result["id"] for result in answer.json()["results"]]
    submission = ids[0].partition(".")[0]

    lines = wait_for_lines(observed, "train-step-7")
    assert [line["message"] for line in lines] == ["accepted", "judged", "judged", "request finished"]
    assert {line["request"] for line in lines} == {"train-step-7"}
    assert {line["submission"] for line in lines[:3]} == {submission}
    assert {line["lane"] for line in lines[:3]} == {"bulk"}
    assert {(line["item"], line["verdict"]) for line in lines[1:3]} == {(ids[0], "accepted"), (ids[1], "wrong_answer")}
    assert wait_for_lines(observed, submission) == lines
    assert wait_for_lines(observed, submission[:10]) == lines
    assert [line.get("verdict") for line in wait_for_lines(observed, ids[1])] == ["wrong_answer", None]


def test_lines_are_told_so_that_a_person_can_read_them(observed: ObservedService) -> None:
    program = {"language": "bash", "code": "exit 3"}
    headers = {"X-Request-ID": "by-hand"}
    httpx.post(f"{observed.url}/execute", json=program, headers=headers, timeout=60, trust_env=False)
    assert wait_for_lines(observed, "by-hand")
    shown = [line for line in run_logs_command(observed, "by-hand").stdout.splitlines() if BOX_REPLACED not in line]
    assert len(shown) == 3
    assert "api" in shown[0]
    assert "worker-" in shown[1]
    assert "verdict=runtime_error" in shown[1]


def test_other_logs_can_be_given(observed: ObservedService) -> None:
    """For example from another host's journal."""
    line = {"time": "2026-01-01T00:00:00.000Z", "message": "judged", "submission": "elsewhere", "verdict": "accepted"}
    shown = run_logs_command(observed, "elsewhere", "--file", "-", stdin=f"no json\n{json.dumps(line)}\n")
    assert "verdict=accepted" in shown.stdout


def test_an_id_that_nobody_logged_is_an_error_that_says_where_it_was_looked_for(observed: ObservedService) -> None:
    shown = run_logs_command(observed, "nobody-logged-this")
    assert shown.exit_code == 1
    assert f"files of {observed.home / 'log'}" in shown.stderr


def test_jobs_lists_what_was_kept_and_tells_one_in_full(observed: ObservedService) -> None:
    later = {"Prefer": "respond-async"}
    job = httpx.post(f"{observed.url}/verify/batch", json=BATCH, headers=later, timeout=60, trust_env=False).json()
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        shown = CliRunner().invoke(app, ["jobs", "--url", observed.url], env={"COLUMNS": "100"})
        line = next((line for line in shown.stdout.splitlines() if job["id"] in line), "")
        if "accepted 1" in line and "wrong_answer 1" in line:
            break
        time.sleep(0.2)
    assert "bulk" in line, shown.stdout
    assert "accepted 1" in line
    assert "wrong_answer 1" in line
    result = CliRunner().invoke(app, ["jobs", job["id"], "--url", observed.url])
    assert json.loads(result.stdout)["status"] == "finished"


def test_top_shows_what_goes_on(observed: ObservedService) -> None:
    httpx.post(f"{observed.url}/verify/batch", json=BATCH, timeout=60, trust_env=False)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:  # results reach the live view a few times per second
        shown = CliRunner().invoke(app, ["top", "--once", "--url", observed.url], env={"COLUMNS": "80"})
        if "wrong_answer" in shown.stdout and "sessions: " in shown.stdout:  # the session host may still be starting
            break
        time.sleep(0.2)
    assert shown.exit_code == 0, shown.stderr
    assert "verdicts/s" in shown.stdout
    assert "bulk" in shown.stdout
    assert "wrong_answer" in shown.stdout
    assert "sessions: 0 of 4 open, 1 host, " in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
