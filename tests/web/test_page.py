"""The other views in a real browser, with real workers: batches, the live view, votes, keys, and the API's page."""

from __future__ import annotations

import json
import re
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
from tests.web.conftest import TIMEOUT_MS, OpenPage, fill_program

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]


@pytest.fixture(autouse=True)
def _set_expect_timeout() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


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
    for text in ("Accepted: 70", "Wrong answer: 1", "Invalid: 3", "Succeeded: 1", "Golden candidate accepted: 1"):
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
    drop = "() => { const data = new DataTransfer(); data.items.add(new File(['{}'], 'dropped.jsonl')); return data; }"
    page.locator(".drop-zone").dispatch_event("drop", {"dataTransfer": page.evaluate_handle(drop)})
    expect(page.get_by_text("dropped.jsonl: 1 line.")).to_be_visible()
    page.get_by_role("button", name="Example with votes").click()
    page.keyboard.press("Control+Enter")
    for text in ("Golden candidate accepted: 1", "No golden candidate: 1"):
        expect(verdicts).to_contain_text(text)
    expect(failed).to_contain_text(["0 of 2 inputs labeled"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save results").click()
    assert json.loads(download.value.path().read_text().splitlines()[0])["result"]["golden"]["accepted"]


def test_a_file_that_is_loaded_while_another_is_judged_takes_its_place(visit: OpenPage, tmp_path: Path) -> None:
    slow = {"language": "python", "code": "import time\ntime.sleep(60)", "limits": {"wall_time_s": 60}}
    file = tmp_path / "slow.jsonl"
    file.write_text(json.dumps(slow))
    page = visit("#batch").page
    page.locator("#batch-file").set_input_files(file)
    with page.expect_request("**/execute/batch"):
        page.get_by_role("button", name="Judge").click()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Example", exact=True).click()
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # until the page has handled the end of the request
    expect(page.get_by_text("Example: 3 lines.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("button", name="Judge", exact=True).click()
    expect(page.get_by_role("list", name="Verdicts")).to_contain_text("Runtime error: 1")


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
    fill_program(page, "raise SystemExit(3)")
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
    rates = page.get_by_role("region", name="Verdicts per second")
    rates.get_by_role("img").hover()
    expect(rates.locator(".chart-values")).to_contain_text(re.compile(r"^\d\d:\d\d:\d\d: \d+ per second"))
    rates.get_by_role("button", name="24 h").click()
    expect(rates.locator(".chart-labels")).to_contain_text(re.compile(r"(\d\d:00){5}"))
    rates.get_by_role("img").press("ArrowLeft")  # to the latest period
    expect(rates.locator(".chart-values")).to_contain_text(re.compile(r"Runtime error \d+"))


def test_a_vote_is_a_matrix_with_dissenters_and_a_golden_row(visit: OpenPage) -> None:
    page = visit("#vote").page
    page.locator("#vote").get_by_role("button", name="Example").click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("grid")).to_be_visible()
    assert page.locator(".matrix tbody .cell[data-cell*='-']").count() == 7 * 8
    expect(page.locator("tr.golden th")).to_contain_text("★")
    why = re.compile(r"^Tie of 4 with the score 1\.000, broken by (time|length|order)")
    expect(page.locator("#vote-why")).to_have_text(why)
    expect(page.locator("tr.golden .number")).to_have_text(["6/6 · 1.000", "2/2"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the result").click()
    assert json.loads(download.value.path().read_text())["golden"]["tied"] == 4
    dissenter = page.get_by_role("button", name="Candidate 3, input 2: Wrong answer, dissents")
    dissenter.click()
    expect(page.locator("#vote-cell")).to_contain_text("print(sum(range(int(input()))))")
    expect(page.locator("#vote-cell").get_by_label("Label")).to_have_text("55")
    dissenter.press("ArrowRight")
    expect(page.locator("[data-cell='3-3']")).to_be_focused()
    page.get_by_role("button", name="Measure the labeled tests").click()
    expect(page.get_by_role("img", name=re.compile("Verdicts of .* on 8 tests. The smallest suite"))).to_be_visible()
    page.get_by_role("button", name="Open the golden candidate").click()
    expect(page.get_by_label("Test 1: input")).to_be_visible()
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verdict")).to_have_text("Accepted")
    code = """async ({ request, result }) => {
        const { toState } = await import(new URL("web/gallery.js", document.baseURI));
        return toState({ ...request, ...result.test_set });
    }"""
    test: dict[str, object] = {"stdin": "1", "expected": "2", "stdin_base64": None, "args": [], "files": {}}
    checker = {"type": "program", "language": "python", "code": "..."}
    vote = {"request": {"environment": "words"}, "result": {"test_set": {"tests": [test], "checker": checker}}}
    state = page.evaluate(code, vote)
    assert state["tests"] == [{"stdin": "1", "expected": "2"}]
    assert json.loads(state["extra"]) == {"environment": "words", "checker": checker}


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
    cut = 'event: progress\ndata: {"phase": "tests", "done": 0, "total": 2, "rows": []}\n\n'
    page.route("**/verify/quality", lambda route: route.fulfill(body=cut, content_type="text/event-stream"))
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("ended before the report was complete")


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
    one.take_screenshot("api-reference", whole=False)
