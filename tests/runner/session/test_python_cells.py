"""Cells of a Python branch: state, results, displays, errors, output and input."""

from __future__ import annotations

import base64
import time

import pytest

from tests.runner.session.session_box import SessionBox


def test_a_cell_sees_what_earlier_cells_defined(box: SessionBox) -> None:
    box.execute("x = 20\ndef double(value):\n    return 2 * value")
    assert box.execute("double(x) + 2").text == "42"
    assert box.execute("_ + 1").text == "43"


def test_a_semicolon_hides_the_result(box: SessionBox) -> None:
    assert box.execute("1 + 1;  # hidden").text is None
    assert box.execute("(1 + 1); 5").text == "5"


def test_an_error_has_type_line_and_traceback_and_keeps_the_state(box: SessionBox) -> None:
    box.execute("def divide(a, b):\n    return a / b")
    answer = box.execute("y = 7\ndivide(y, 0)\ny = 8")
    assert answer.header["status"] == "error"
    assert answer.header["state"] == "kept"
    assert answer.header["error"] == {
        "type": "ZeroDivisionError",
        "message": "division by zero",
        "line": 2,
        "traceback": 'Traceback (most recent call last):\n  File "<cell 2>", line 2, in <module>\n    divide(y, 0)\n'
        '  File "<cell 1>", line 2, in divide\n    return a / b\n           ~~^~~\n'
        "ZeroDivisionError: division by zero\n",
    }
    assert box.execute("y").text == "7"


def test_a_syntax_error_runs_nothing(box: SessionBox) -> None:
    answer = box.execute("z = 1\nif True print(z)")
    assert (answer.header["error"]["type"], answer.header["error"]["line"]) == ("SyntaxError", 2)
    assert box.execute("z").header["error"]["type"] == "NameError"


def test_an_exit_is_an_exit_code_and_keeps_the_state(box: SessionBox) -> None:
    box.execute("x = 1")
    assert box.execute("import sys; sys.exit(3)").header["exit_code"] == 3
    answer = box.execute("raise SystemExit('bye')")
    assert (answer.header["exit_code"], answer.stderr) == (1, "bye\n")
    assert box.execute("exit()").header["status"] == "ok"
    assert box.execute("x").text == "1"


def test_the_event_loop_is_kept_between_cells(box: SessionBox) -> None:
    box.execute("import asyncio\nevents = []\nasync def work():\n    await asyncio.sleep(0.01)\n    events.append(1)")
    assert box.execute("task = asyncio.create_task(work())\nawait asyncio.sleep(0)\n'begun'").text == "'begun'"
    assert box.execute("await task\nevents").text == "[1]"


def test_output_keeps_its_order_with_what_subprocesses_write(box: SessionBox) -> None:
    code = (
        "import os, subprocess\nprint('a', end='')\nos.write(1, b'b')\nsubprocess.run(['echo', '-n', 'c'])\nprint('d');"
    )
    assert box.execute(code).stdout == "abcd\n"


def test_input_reads_the_calls_stdin_and_then_ends(box: SessionBox) -> None:
    answer = box.execute("name = input('name? ')\nrest = input()\n(name, rest)", stdin="Ada\nx\n")
    assert (answer.text, answer.stdout) == ("('Ada', 'x')", "name? ")
    assert box.execute("input()", stdin="").header["error"]["type"] == "EOFError"
    assert box.execute("input()").header["error"]["type"] == "EOFError"


def test_a_program_may_close_its_standard_streams(box: SessionBox) -> None:
    assert box.execute("import os\nfor number in range(3): os.close(number)").header["state"] == "kept"
    answer = box.execute("(input(), os.fstat(0).st_size)", stdin="Ada\n")
    assert answer.text == "('Ada', 4)"
    assert box.execute("6 * 7").text == "42"


def test_displays_arrive_in_order_and_as_all_their_types(box: SessionBox) -> None:
    code = """
class Card:
    def __repr__(self): return 'Card()'
    def _repr_html_(self): return '<b>card</b>'
    def _repr_png_(self): return b'png'
display(Card())
display(3, {'a': 1})
display({'text/plain': 'raw'}, raw=True)
Card()
"""
    answer = box.execute(code)
    card = {"text/plain": "Card()", "text/html": "<b>card</b>", "image/png": base64.b64encode(b"png").decode()}
    assert answer.displays == (card, {"text/plain": "3"}, {"text/plain": "{'a': 1}"}, {"text/plain": "raw"})
    assert answer.header["result"] == card


def test_a_failing_display_method_hides_only_itself(box: SessionBox) -> None:
    answer = box.execute("class Bad:\n    def __repr__(self): return 'bad'\n    def _repr_html_(self): 1/0\nBad()")
    assert answer.header["result"] == {"text/plain": "bad"}
    assert "ZeroDivisionError" in answer.stderr


def test_a_large_result_travels_in_a_memfd(box: SessionBox) -> None:
    answer = box.execute("'x' * 1_000_000")
    assert answer.text == repr("x" * 1_000_000)
    assert "<" in str(box.execute("'x' * 20_000_000").text)


def test_large_code_and_input_travel_in_a_memfd(box: SessionBox) -> None:
    assert box.execute("text = '" + "y" * 500_000 + "'\nlen(text)").text == "500000"
    assert box.execute("len(input())", stdin="z" * 500_000 + "\n").text == "500000"


def test_output_is_limited_per_stream_and_the_rest_is_discarded(box: SessionBox) -> None:
    answer = box.execute("for i in range(20000): print('0123456789')", output_kb=10)
    assert (len(answer.stdout), answer.header["status"]) == (10_240, "ok")
    assert answer.header["stdout_truncated"]
    assert not answer.header["stderr_truncated"]


def test_output_between_calls_belongs_to_the_next_call(box: SessionBox) -> None:
    box.execute("import subprocess; p = subprocess.Popen('sleep 0.2; echo late', shell=True)")
    time.sleep(0.5)
    assert box.execute("1").stdout == "late\n"


def test_a_thread_and_pickled_classes_work(box: SessionBox) -> None:
    box.execute("import pickle\nclass Point:\n    def __init__(self, x): self.x = x")
    assert box.execute("pickle.loads(pickle.dumps(Point(4))).x").text == "4"
    assert (
        box.execute("from concurrent.futures import ThreadPoolExecutor as T\nsum(T().map(abs, [-1, -2]))").text == "3"
    )


@pytest.mark.parametrize("name", ["sandbox", "sandbox.runner.frames"])
def test_the_runner_is_not_visible(box: SessionBox, name: str) -> None:
    assert box.execute(f"import {name}").header["error"]["type"] == "ModuleNotFoundError"


def test_the_end_of_the_process_is_reported_once(box: SessionBox) -> None:
    answer = box.execute("import os; os._exit(7)")
    assert (answer.header["status"], answer.header["state"], answer.header["exit_code"]) == ("ended", "lost", 7)
    assert "code 7" in answer.header["reason"]
    assert box.ask("execute", content=b"1").header["error"]["code"] == "unknown_branch"


def test_a_process_that_dies_between_calls_is_an_event(box: SessionBox) -> None:
    box.execute("import os, threading; threading.Timer(0.1, lambda: os.kill(os.getpid(), 9)).start()")
    assert "SIGKILL" in box.wait_for_event("ended")["reason"]


def test_one_call_at_a_time(box: SessionBox) -> None:
    number = box.send_code("import time; time.sleep(0.3); 'slept'")
    assert box.execute("1").header["error"]["code"] == "busy"
    assert box.wait(number).text == "'slept'"


@pytest.mark.parametrize("value", ["circular", "{(1, 2): 3}", "Rude()"])
def test_a_result_that_is_not_json_is_described_and_keeps_the_state(box: SessionBox, value: str) -> None:
    box.execute("circular = []\ncircular.append(circular)\nclass Rude:\n    def __str__(self): raise OSError")
    answer = box.execute(f"class Shown:\n    def _repr_json_(self): return {value}\nx = 5\nShown()")
    assert (answer.header["status"], answer.header["state"]) == ("ok", "kept")
    assert (answer.text or "").startswith("<not JSON: ")
    assert box.execute("x").text == "5"
