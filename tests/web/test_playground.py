"""The playground in a real browser, with real workers: run, verify, share, and examples of every kind of test."""

from __future__ import annotations

import ast
import base64
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from sandbox.api.app import create_app
from sandbox.api.routes import web_ui
from sandbox.config import ApiSettings
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.web.conftest import TIMEOUT_MS, OpenPage, expect_program, fill_program

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]
ROOT = Path(__file__).resolve().parents[2]
EMPTY_DATABASE = 11  # has no workers
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


@pytest.fixture(autouse=True)
def _set_expect_timeout() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


def test_a_program_is_run_on_its_input(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_label("Standard input").fill("40 2\n")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Succeeded")
    expect(page.get_by_label("Standard output")).to_have_text("42")
    expect(page.locator(".facts")).to_contain_text("MiB")


def test_a_run_with_an_expected_output_shows_the_difference(visit: OpenPage) -> None:
    page = visit().page
    fill_program(page, "print('one')\nprint('two')\nprint('four')")
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


def test_the_second_run_that_shows_the_output_has_the_arguments_and_files_of_the_test(visit: OpenPage) -> None:
    page = visit().page
    files = {"words.txt": base64.b64encode(b"of a file").decode()}
    test = {"stdin": "", "expected": "right", "args": ["one"], "files": files}
    program = "import sys\nprint(sys.argv[1], open('words.txt').read())"
    code = """async (state) => {
        const { load } = await import(new URL("web/playground.js", document.baseURI));
        load(state);
    }"""
    page.evaluate(code, {"language": "python", "code": program, "tests": [{"json": json.dumps(test)}], "tab": "tests"})
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".verdict-list li.diff-extra")).to_contain_text("one of a file")


def test_a_compiler_is_quoted(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_label("Language").select_option("cpp")
    fill_program(page, "int main() { return nothing; }")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_have_text("Compile error")
    expect(page.get_by_label("Compiler")).to_contain_text("nothing")


def test_what_a_hostile_program_prints_stays_text(visit: OpenPage) -> None:
    page = visit().page
    fill_program(page, f"import sys\nprint({HOSTILE!r})\nsys.stderr.write({HOSTILE!r})")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Standard output")).to_have_text(HOSTILE)
    expect(page.get_by_label("Standard error")).to_have_text(HOSTILE)
    assert page.locator("#result img, #result script").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_link_carries_the_whole_state_and_a_damaged_one_is_said(visit: OpenPage) -> None:
    page = visit().page
    fill_program(page, "print('shared')  # ü\n")
    page.get_by_role("tab", name="Tests").click()
    page.get_by_label("Test 1: input").fill("over there\n")
    page.get_by_role("button", name="Copy link").click()
    expect(page).to_have_url(re.compile("#playground/z"))
    fragment = page.evaluate("location.hash")
    other = visit(fragment).page
    expect_program(other, "print('shared')  # ü\n")
    expect(other.get_by_label("Test 1: input")).to_have_value("over there\n")
    damaged = visit(fragment[:40]).page
    expect(damaged.get_by_role("alert")).to_contain_text("damaged")


def test_a_program_from_elsewhere_replaces_the_kept_one_only_if_it_is_changed(visit: OpenPage) -> None:
    page = visit().page
    code = """async () => {
        const { Editor } = await import(new URL("web/editor.js", document.baseURI));
        let changes = 0;
        const editor = new Editor({ label: "Program", describedBy: "", onChange: () => { changes += 1; } });
        editor.value = "print(1)";
        const filled = changes;
        editor.view.dispatch({ changes: { from: 0, insert: "#" } });
        return [filled, changes, editor.value];
    }"""
    assert page.evaluate(code) == [0, 1, "#print(1)"]


def test_a_program_survives_a_reload_and_recent_submissions_can_be_opened_again(visit: OpenPage) -> None:
    page = visit().page
    fill_program(page, "print('first')\n")
    page.get_by_label("Standard input").press("Control+Enter")  # works outside of the editor, too
    expect(page.get_by_label("Standard output")).to_have_text("first")
    fill_program(page, "print('second')\n")
    deadline = time.monotonic() + 10
    while "second" not in page.evaluate("localStorage.getItem('sandbox.draft')"):
        assert time.monotonic() < deadline, "the program is not kept"
        page.wait_for_timeout(50)
    page.reload()
    expect_program(page, "print('second')\n")
    recent = page.get_by_label("Recent submissions")
    recent.select_option(index=1)
    expect_program(page, "print('first')\n")
    recent.select_option("clear")
    expect(recent).to_be_hidden()


@pytest.mark.parametrize("choice", ["curl", "Python", "JSONL line"])
def test_a_request_can_be_copied_and_used_elsewhere(visit: OpenPage, url: str, choice: str, tmp_path: Path) -> None:
    page = visit().page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fill_program(page, 'print(sum(map(int, input().split())))  # it\'s ü "quoted"\n')
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


def test_a_request_copied_as_python_keeps_every_value(visit: OpenPage) -> None:
    page = visit().page
    body = {"tests": [{"args": [True, None, 'it is "true"'], "expected": False}]}
    code = """async (body) => {
        const { format } = await import(new URL("web/snippets.js", document.baseURI));
        return format("python", "verify", body, false);
    }"""
    calls = [node for node in ast.walk(ast.parse(page.evaluate(code, body))) if isinstance(node, ast.Call)]
    assert body in [
        ast.literal_eval(call.args[0]) for call in calls if call.args and isinstance(call.args[0], ast.Dict)
    ]


def test_a_line_of_a_traceback_leads_to_the_line_of_the_program(visit: OpenPage) -> None:
    page = visit().page
    fill_program(page, "def f():\n    return 1 / 0\n\nf()\n")
    page.locator("h1").first.evaluate("heading => document.activeElement.blur()")
    page.keyboard.press("Control+Enter")
    page.get_by_label("Standard error").get_by_role("button", name="line 2").click()
    expect(page.get_by_role("textbox", name="Program")).to_be_focused()
    assert page.evaluate("getSelection().toString()").strip() == "return 1 / 0"
    texts = {
        "main.cpp:3:5: error: x": "main.cpp:3",
        "\tat Main.main(Main.java:4)": "Main.java:4",
        "/box/work/main.js:7\nthrow": "/box/work/main.js:7",
        "main.sh: line 2: x: command not found": "main.sh: line 2",
        "PHP Warning: x in /w/main.php on line 5": "/w/main.php on line 5",
        "Died at main.pl line 6.": "main.pl line 6",
        "/w/main.cs(8,9): error CS0103": "/w/main.cs(8",
        'File "/usr/lib/python3.11/random.py", line 3': None,
        "main.cpp:5000:1: error": None,
    }
    code = """async (texts) => {
        const { withLinks } = await import(new URL("web/traceback.js", document.baseURI));
        const show = (text) => withLinks(text, { lines: 99, show() {} });
        return texts.map((text) => show(text).find((part) => part.tagName)?.textContent ?? null);
    }"""
    assert page.evaluate(code, list(texts)) == list(texts.values())


def test_every_example_has_the_verdict_that_it_shows(url: str) -> None:
    examples = json.loads((web_ui.FOLDER / "gallery.json").read_text(encoding="utf-8"))
    kinds = {"stdin", "float", "function", "assert", "pytest", "files", "shared", "command", "program", "interactive"}
    assert {example["kind"] for example in examples} == kinds
    items = [example["request"] for example in examples]
    results = httpx.post(f"{url}/verify/batch", json={"items": items}, timeout=60).json()["results"]
    assert [result["verdict"] for result in results] == [example["verdict"] for example in examples]


def test_an_example_of_any_kind_of_test_can_be_loaded_changed_and_copied(visit: OpenPage) -> None:
    page = visit().page
    page.get_by_label("Examples").select_option("A function and its values")
    expect(page.get_by_label("As a JSON object")).to_have_value(re.compile("Solution.twoSum"))
    test = page.get_by_label("Test 2: JSON")
    test.fill(test.input_value().replace("6", "7"))
    test.press("Control+Shift+Enter")
    expect(page.locator(".banner")).to_contain_text("1 of 2 tests passed")
    test.fill("[")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("alert")).to_contain_text("Test 2: not valid JSON")
    page.get_by_label("Examples").select_option("Input and output")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Copy as").select_option("JSONL line")
    expect(page.locator("#announcer")).to_have_text("Copied as JSONL line")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["tests"][1] == {"stdin": "-5 5\n", "expected": "0\n"}
    assert "entry_point" not in copied


def test_a_program_that_waits_shows_its_place_and_why_even_after_a_failed_poll(
    visit: OpenPage, redis_server: RedisServer, home: Path
) -> None:
    folder = home / "no-workers"
    folder.mkdir()
    settings = ApiSettings(home=folder, redis_url=redis_server.build_url(EMPTY_DATABASE))
    with redis_server.open_empty_database(EMPTY_DATABASE), serve_in_thread(create_app(settings)) as url:
        request = {"language": "python", "code": "print(1)"}
        for _ in range(2):
            accepted = httpx.post(f"{url}/execute", json=request, headers={"Prefer": "respond-async"})
            assert accepted.status_code == 202, accepted.text
        one = visit(at=url)
        page = one.page
        page.get_by_role("button", name="Run").click()
        expect(page.locator("#waiting")).to_contain_text("Queued, position 3; no worker is alive")
        page.route("**/jobs/*", lambda route: route.abort(), times=1)
        expect(page.locator("#waiting")).to_contain_text("The service is unavailable; retrying")
        expect(page.locator("#waiting")).to_contain_text("Queued, position 3; no worker is alive")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#result")).to_have_text("Stopped.")
        one.console_errors = [said for said in one.console_errors if "Failed to load resource" not in said]


def test_the_keyboard_does_it_all_and_nobody_is_caught_in_the_editor(visit: OpenPage) -> None:
    page = visit().page
    editor = page.get_by_role("textbox", name="Program")
    editor.fill("")
    editor.press_sequentially("if True:\nprint(7)")
    expect_program(page, "if True:\n    print(7)")
    editor.press("Shift+Tab")
    expect_program(page, "if True:\nprint(7)")
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
