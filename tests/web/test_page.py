"""The page in a real browser, with real workers: run, verify, share, watch, vote."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.config import ApiSettings
from sandbox.request_context import Role
from sandbox.schema.live import LiveSlot, LiveView
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.web.conftest import TIMEOUT_MS, OpenPage

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


@pytest.fixture(autouse=True)
def _set_expect_timeout() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


def _fill_program(page: Page, code: str) -> None:
    page.get_by_role("textbox", name="Program").fill(code)


def test_a_program_is_run_on_its_input(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_label("Standard input").fill("40 2\n")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Succeeded")
    expect(page.get_by_label("Standard output")).to_have_text("42")
    expect(page.locator(".facts")).to_contain_text("MiB")


def test_a_run_with_an_expected_output_shows_the_difference(visit: OpenPage) -> None:
    page = visit().page
    _fill_program(page, "print('one')\nprint('two')\nprint('four')")
    page.get_by_label("Expected output").fill("one\nthree\nfour\n")
    page.get_by_role("button", name="Run").click()
    lines = page.locator(".diff li")
    expect(lines).to_have_text([re.compile("one"), re.compile("three"), re.compile("two"), re.compile("four")])
    kinds = [line.get_attribute("class") for line in lines.all()]
    assert kinds == ["diff-same", "diff-missing", "diff-extra", "diff-same"]
    expect(page.locator("#verdict")).to_have_text("Output differs")
    expect(page.locator(".banner")).to_have_class(re.compile("tone-time"))
    color = "element => getComputedStyle(element).color"
    red = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--bad')").strip()
    printed, wanted = (page.locator(f".diff .diff-{kind}").evaluate(color) for kind in ("extra", "missing"))
    assert printed == "rgb({}, {}, {})".format(*bytes.fromhex(red.removeprefix("#")))
    assert wanted not in {printed, page.locator(".banner").evaluate(color)}
    page.get_by_label("Expected output").fill("one\ntwo\nfour")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Succeeded")


def test_a_wrong_answer_says_which_test_and_what_was_printed(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_role("tab", name="Tests").click()
    page.get_by_label("Test 2: expected").fill("3\n")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verdict")).to_have_text("Wrong answer")
    expect(page.locator(".banner")).to_contain_text("2 of 3 tests passed")
    expect(page.locator(".verdict-list li[data-failed] li.diff-missing")).to_contain_text("3")
    expect(page.locator(".verdict-list li[data-failed] li.diff-extra")).to_contain_text("2")


def test_a_compiler_is_quoted(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_label("Language").select_option("cpp")
    _fill_program(page, "int main() { return nothing; }")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Compile error")
    expect(page.get_by_label("Compiler")).to_contain_text("nothing")


def test_what_a_hostile_program_prints_stays_text(visit: OpenPage) -> None:
    page = visit().page
    _fill_program(page, f"import sys\nprint({HOSTILE!r})\nsys.stderr.write({HOSTILE!r})")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Standard output")).to_have_text(HOSTILE)
    expect(page.get_by_label("Standard error")).to_have_text(HOSTILE)
    assert page.locator("#result img, #result script").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_link_carries_the_whole_state_and_a_damaged_one_is_said(visit: OpenPage) -> None:
    page = visit().page
    _fill_program(page, "print('shared')  # ü\n")
    page.get_by_role("tab", name="Tests").click()
    page.get_by_label("Test 1: input").fill("over there\n")
    page.get_by_role("button", name="Copy link").click()
    expect(page).to_have_url(re.compile("#playground/z"))
    fragment = page.evaluate("location.hash")
    other = visit(fragment).page
    expect(other.get_by_role("textbox", name="Program")).to_have_value("print('shared')  # ü\n")
    expect(other.get_by_label("Test 1: input")).to_have_value("over there\n")
    damaged = visit(fragment[:40]).page
    expect(damaged.get_by_role("alert")).to_contain_text("damaged")


def test_a_program_survives_a_reload_and_recent_submissions_can_be_opened_again(visit: OpenPage) -> None:
    page = visit().page
    _fill_program(page, "print('first')\n")
    page.get_by_label("Standard input").press("Control+Enter")  # works outside of the editor, too
    expect(page.get_by_label("Standard output")).to_have_text("first")
    _fill_program(page, "print('second')\n")
    deadline = time.monotonic() + 10
    while "second" not in page.evaluate("localStorage.getItem('sandbox.draft')"):
        assert time.monotonic() < deadline, "the program is not kept"
        page.wait_for_timeout(50)
    page.reload()
    editor = page.get_by_role("textbox", name="Program")
    expect(editor).to_have_value("print('second')\n")
    recent = page.get_by_label("Recent submissions")
    recent.select_option(index=1)
    expect(editor).to_have_value("print('first')\n")
    recent.select_option("clear")
    expect(recent).to_be_hidden()


@pytest.mark.parametrize("choice", ["curl", "Python", "JSONL line"])
def test_a_request_can_be_copied_and_used_elsewhere(visit: OpenPage, url: str, choice: str, tmp_path: Path) -> None:
    page = visit().page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _fill_program(page, 'print(sum(map(int, input().split())))  # it\'s ü "quoted"\n')
    page.get_by_role("tab", name="Tests").click()
    page.get_by_label("Copy as").select_option(choice)
    expect(page.locator("#announcer")).to_have_text(f"Copied as {choice}")
    text = page.evaluate("navigator.clipboard.readText()")
    file = tmp_path / "requests.jsonl"
    file.write_text(text)
    command = {
        "curl": ["sh", "-c", text],
        "Python": [sys.executable, "-c", text],
        "JSONL line": [sys.executable, "-m", "sandbox", "verify", str(file), "--url", url],
    }[choice]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"accepted|ACCEPTED", done.stdout + done.stderr), done


def test_a_file_is_judged_and_each_bad_line_is_named(visit: OpenPage, tmp_path: Path) -> None:
    tests = [{"stdin": "2", "expected": "4"}]
    right, wrong = "print(int(input()) * 2)", "print(5)"
    candidates = [{"language": "python", "code": code} for code in (right, right, wrong)]
    requests: list[object] = [
        *({"id": f"row-{number}", "language": "python", "code": right, "tests": tests} for number in range(70)),
        {"language": "python", "code": wrong, "tests": tests},
        {"language": "klingon", "code": wrong, "tests": tests},
        {"language": "python", "code": right, "stdin": "3"},
        {"candidates": candidates, "inputs": ["2", "3"]},
        [],
    ]
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(f"{json.dumps(request)}\n" for request in requests) + "\n{not json\n")
    one = visit("#batch")
    page = one.page
    page.locator("#batch-file").set_input_files(file)
    expect(page.get_by_text("76 lines, 2 of them not valid JSON objects")).to_be_visible()
    page.get_by_role("button", name="Judge").click()
    expect(page.get_by_role("button", name="Judge again")).to_be_visible()
    verdicts = page.get_by_role("list", name="Verdicts")
    for text in ("Accepted: 70", "Wrong answer: 1", "Invalid: 3", "Succeeded: 1", "Labeled: 1"):
        expect(verdicts).to_contain_text(text)
    failed = page.get_by_role("region", name="Table of lines that failed").locator("tbody tr")
    expect(failed).to_have_count(4)
    expect(failed.nth(1)).to_contain_text("language: unknown language")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save results").click()
    saved = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [each["line"] for each in saved] == [*range(1, 76), 77]
    assert saved[0]["id"] == "row-0"
    assert [each["result"]["verdict"] for each in saved[:71]] == ["accepted"] * 70 + ["wrong_answer"]
    assert "not JSON" in saved[-1]["error"]
    assert len(one.console_errors) == 1
    assert "422" in one.console_errors.pop()


def test_a_file_that_is_loaded_while_another_is_judged_takes_its_place(visit: OpenPage, tmp_path: Path) -> None:
    slow = {"language": "python", "code": "import time\ntime.sleep(60)", "limits": {"wall_time_s": 60}}
    file = tmp_path / "slow.jsonl"
    file.write_text(json.dumps(slow))
    page = visit("#batch").page
    page.locator("#batch-file").set_input_files(file)
    with page.expect_request("**/execute/batch"):
        page.get_by_role("button", name="Judge").click()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Example").click()
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # until the page has handled the end of the request
    expect(page.get_by_text("Example: 3 lines.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("button", name="Judge", exact=True).click()
    expect(page.get_by_role("list", name="Verdicts")).to_contain_text("Runtime error: 1")


def test_the_keyboard_does_it_all_and_nobody_is_caught_in_the_editor(visit: OpenPage) -> None:
    page = visit().page
    editor = page.get_by_role("textbox", name="Program")
    editor.fill("")
    editor.press_sequentially("if True:\nprint(7)")
    expect(editor).to_have_value("if True:\n    print(7)")
    editor.press("Shift+Tab")
    expect(editor).to_have_value("if True:\nprint(7)")
    editor.press("Home")
    editor.press("Tab")
    editor.press("Control+Enter")
    expect(page.get_by_label("Standard output")).to_have_text("7")
    editor.press("Escape")
    editor.press("Tab")
    expect(editor).not_to_be_focused()
    page.get_by_role("tab", name="Input").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Tests")).to_be_focused()
    expect(page.get_by_label("Checker")).to_be_visible()


def test_the_live_view_says_who_holds_which_gpu_until_when(visit: OpenPage) -> None:
    page = visit().page
    until = time.time() + 15
    lease = {"gpu": "host/0", "worker": "host-1-gpu-0", "job": "gpu-7d3a", "until": until}
    pool = {"leases": [lease, {**lease, "gpu": "host/1", "job": ""}], "jobs": []}
    page.route("**/gpus", lambda route: route.fulfill(json=pool))
    page.get_by_role("link", name="Live").click()
    held = page.get_by_role("list", name="GPUs held").get_by_role("listitem")
    clock = page.evaluate("seconds => new Date(1000 * seconds).toLocaleTimeString()", until)
    expect(held).to_have_text(
        [f"host/0 host-1-gpu-0 · gpu-7d3a · until {clock}", f"host/1 host-1-gpu-0 · idle · until {clock}"]
    )


def test_the_live_view_says_in_a_line_why_a_gpu_job_failed_and_all_of_it_on_a_click(visit: OpenPage) -> None:
    page = visit().page
    job = {"id": "gpu-1", "kind": "train_sft", "status": "failed", "progress": {"step": 0, "message": "loading"}}
    waiting = {"id": "gpu-2", "kind": "generate", "status": "queued", "progress": {}, "note": "no GPU worker is alive"}
    pool = {
        "leases": [],
        "jobs": [waiting, {**job, "error": "it ended with exit code 1:\nTraceback\nNo module named 'torch'"}],
    }
    page.route("**/gpus", lambda route: route.fulfill(json=pool))
    page.get_by_role("link", name="Live").click()
    jobs = page.get_by_role("region", name="GPU jobs")
    why = jobs.get_by_text("No module named 'torch'", exact=True)
    expect(why).to_be_visible()
    expect(jobs).to_contain_text("no GPU worker is alive")
    expect(jobs).not_to_contain_text("loading")
    expect(jobs.get_by_text("exit code 1")).to_be_hidden()
    why.click()
    with page.expect_response("**/gpus"):
        expect(jobs.get_by_text("exit code 1")).to_be_visible()
    expect(jobs.get_by_text("exit code 1")).to_be_visible()


def test_the_live_view_counts_slots_and_calls_express_workers_by_name(visit: OpenPage) -> None:
    page = visit().page
    workers = [
        LiveSlot(name=f"host-{number}", host="host", state="idle", heard_s=0, express=number > 2) for number in range(5)
    ]
    view = LiveView(at=1_800_000_000, slots=workers, lanes=[], seconds=[], recent=[]).model_dump_json()
    page.route(
        "**/live/events",
        lambda route: route.fulfill(content_type="text/event-stream", body=f"event: view\ndata: {view}\n\n"),
    )
    page.get_by_role("link", name="Live").click()
    slots = page.get_by_role("region", name="Slots").get_by_role("listitem")
    expect(slots).to_have_count(5)
    expect(slots.filter(has_text="reserved")).to_have_count(2)
    expect(page.get_by_text("0 / 3", exact=True)).to_be_visible()


def test_the_live_view_tells_what_ended_and_opens_it_in_full(visit: OpenPage) -> None:
    page = visit().page
    _fill_program(page, "raise SystemExit(3)")
    with page.expect_response("**/execute") as answered:
        page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Runtime error")
    page.get_by_role("link", name="Live").click()
    expect(page.locator(".slot")).not_to_have_count(0)
    page.get_by_label("Verdict", exact=True).select_option("runtime_error")
    page.get_by_label("Search").fill(answered.value.json()["id"])
    row = page.locator(".recent tbody tr:visible")
    expect(row).to_contain_text("Runtime error")
    row.get_by_role("button").click()
    expect(page.get_by_label("Result", exact=True).last).to_contain_text('"exit_code": 3')
    page.keyboard.press("Escape")
    page.get_by_label("Search").fill("nothing like it")
    expect(page.locator(".recent tbody tr:visible")).to_have_count(0)
    expect(page.locator(".lanes")).to_contain_text("default")
    assert page.locator(".chart rect").count() > 0


def test_a_vote_is_a_matrix_with_dissenters_and_a_golden_row(visit: OpenPage) -> None:
    page = visit("#vote").page
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Vote", exact=True).click()
    expect(page.get_by_role("grid")).to_be_visible()
    assert page.locator(".matrix tbody .cell[data-cell*='-']").count() == 7 * 8
    expect(page.locator("tr.golden th")).to_contain_text("★")
    dissenter = page.get_by_role("button", name="Candidate 3, input 2: Wrong answer, dissents")
    dissenter.click()
    expect(page.locator("#vote-cell")).to_contain_text("print(sum(range(int(input()))))")
    expect(page.locator("#vote-cell").get_by_label("Label")).to_have_text("55")
    dissenter.press("ArrowRight")
    expect(page.locator("[data-cell='3-3']")).to_be_focused()
    page.get_by_role("button", name="Measure the labeled tests").click()
    expect(page.get_by_role("img", name=re.compile("Verdicts of .* on 8 tests. The smallest suite"))).to_be_visible()
    page.get_by_role("button", name="Open the golden candidate").click()
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verdict")).to_have_text("Accepted")


def test_tests_are_measured_in_a_picture_of_their_kills(visit: OpenPage, tmp_path: Path) -> None:
    one = visit("#vote")
    page = one.page
    page.get_by_role("button", name="Sample report").click()
    page.get_by_role("button", name="Measure", exact=True).click()
    findings = page.locator("#quality-findings")
    expect(findings).to_contain_text("Wrong, but passes: from zero")
    assert page.locator(".kill-matrix .tone-time.kill").count() == 6
    assert page.locator(".kill-matrix .kept").count() == len(page.locator("#quality-result td:text-is('yes')").all())
    page.locator(".kill-matrix .tone-time.kill").first.hover()
    expect(page.locator(".kill-values")).to_have_text("never ends on test 0: Time limit exceeded")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the picture").click()
    assert "<rect" in Path(download.value.path()).read_text(encoding="utf-8")


def test_a_request_that_is_wrong_is_answered_with_what_is_wrong(visit: OpenPage) -> None:
    one = visit("#vote")
    one.page.get_by_label("Request").fill('{"candidates": [], "inputs": ["1"]}')
    one.page.get_by_role("button", name="Vote", exact=True).click()
    expect(one.page.get_by_role("alert")).to_contain_text("candidates")
    one.console_errors = [said for said in one.console_errors if "422" not in said]


def test_a_service_with_keys_is_asked_with_one_that_stays_in_its_tab(
    visit: OpenPage, live_service: Service, home: Path
) -> None:
    submit, admin = generate_key("page", Role.SUBMIT), generate_key("boss", Role.ADMIN)
    settings = ApiSettings(home=home / "live", api_keys=f"{submit.entry},{admin.entry}")
    with serve_in_thread(create_app(settings, live_service)) as url:
        one = visit("", at=url)
        page = one.page
        _enter_key(page, "sbx_page_wrong")
        expect(page.locator("#key-why")).to_contain_text("refused")
        _enter_key(page, submit.key)
        page.get_by_role("button", name="Run").click()
        expect(page.locator("#verdict")).to_have_text("Succeeded")
        page.get_by_role("link", name="Live").click()
        page.get_by_role("button", name="Use another key").click()
        _enter_key(page, admin.key)
        expect(page.locator(".slot")).not_to_have_count(0)
        stored = page.evaluate("[sessionStorage.getItem('sandbox.key'), JSON.stringify(localStorage), location.href]")
        assert stored[0] == admin.key
        assert admin.key not in stored[1] + stored[2]
        page.goto("about:blank")  # ends the event stream, for which the server would wait
        one.console_errors = [said for said in one.console_errors if "401" not in said and "403" not in said]


def _enter_key(page: Page, key: str) -> None:
    expect(page.locator("#key-dialog")).to_be_visible()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_the_api_can_be_tried_without_a_byte_from_elsewhere(visit: OpenPage, url: str) -> None:
    one = visit()
    one.page.goto(f"{url}/docs")
    operation = one.page.locator("#operations-service-languages_languages_get")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("python")
    one.take_screenshot("api-reference")
