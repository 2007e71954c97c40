"""Calls of a session: what it keeps, what it answers, and which numbers it takes."""

from __future__ import annotations

import threading
import time

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest, NotFound, SequenceMismatch, SessionBusy, SessionEnded

EXPIRY_TIMEOUT_S = 30.0  # a host reports it with its heartbeat


def test_a_python_session_keeps_its_variables(client: Client) -> None:
    with client.session() as session:
        assert session.execute("x = 20").result is None
        answer = session.execute("x + 22")
        assert answer.result == {"text/plain": "42"}
        assert (answer.status, answer.state, answer.sequence) == ("ok", "kept", 2)


def test_a_session_keeps_its_state_after_an_exception(client: Client) -> None:
    with client.session() as session:
        answer = session.execute("x = 1\nx = 2\nraise ValueError('no')")
        assert answer.status == "error"
        assert answer.error is not None
        assert (answer.error.type, answer.error.message, answer.error.line) == ("ValueError", "no", 3)
        assert session.execute("x").result == {"text/plain": "2"}


def test_a_call_returns_output_and_reads_its_stdin(client: Client) -> None:
    with client.session() as session:
        answer = session.execute("import sys\nprint(input())\nprint('to stderr', file=sys.stderr)", stdin="hello\n")
        assert (answer.stdout, answer.stderr) == ("hello\n", "to stderr\n")
        assert session.execute("input()").error is not None  # the stdin of the last call is gone


def test_top_level_await_works(client: Client) -> None:
    with client.session() as session:
        answer = session.execute("import asyncio\nawait asyncio.sleep(0, 'awaited')")
        assert answer.result == {"text/plain": "'awaited'"}


def test_a_bash_session_keeps_its_directory_and_variables(client: Client) -> None:
    with client.session(language="bash") as session:
        assert session.command("mkdir -p a/b; cd a/b; name=world").exit_code == 0
        answer = session.command("echo hello $name in ${PWD##*/}; false")
        assert (answer.stdout, answer.exit_code) == ("hello world in b\n", 1)


def test_a_command_runs_beside_a_python_session(client: Client) -> None:
    with client.session() as session:
        session.execute("open('data.txt', 'w').write('3 4')")
        answer = session.command("cat data.txt; exit 7")
        assert (answer.stdout, answer.exit_code) == ("3 4", 7)


def test_environment_variables_and_files_are_there_from_the_start(client: Client) -> None:
    files = {"package/data.txt": b"content"}
    with client.session({"variables": {"TOKEN": "abc"}, "files": files}) as session:
        answer = session.execute("import os\nprint(os.environ['TOKEN'], open('package/data.txt').read())")
        assert answer.stdout == "abc content\n"


def test_output_arrives_while_the_code_runs(client: Client) -> None:
    with client.session() as session:
        began = time.monotonic()
        events = session.stream("import time\nprint('first', flush=True)\ntime.sleep(1)\nprint('second')\n5")
        first = next(events)
        assert first.event == "stdout"
        assert str(first.data["text"]).startswith("first")
        assert time.monotonic() - began < 0.9
        rest = list(events)
        assert rest[-1].event == "result"
        assert rest[-1].data["stdout"] == "first\nsecond\n"
        assert rest[-1].data["result"] == {"text/plain": "5"}


def test_the_session_survives_its_time_limit_if_the_code_stops(client: Client) -> None:
    with client.session() as session:
        session.execute("kept = 7")
        answer = session.execute("while True: pass", limits={"cpu_time_s": 0.3})
        assert (answer.status, answer.state) == ("time_limit", "kept")
        assert session.execute("kept").result == {"text/plain": "7"}


def test_code_that_ignores_the_interrupt_is_killed_and_its_loss_is_told(client: Client) -> None:
    with client.session() as session:
        code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
        answer = session.execute(code, limits={"cpu_time_s": 0.3})
        assert (answer.status, answer.state) == ("time_limit", "lost")
        assert answer.reason
        with pytest.raises(SessionEnded, match="lost"):
            session.execute("1")
        assert session.describe().status == "lost"


def test_a_running_call_can_be_interrupted(client: Client) -> None:
    with client.session() as session:
        session.execute("kept = 7")
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(session.execute("import time\ntime.sleep(60)", limits={"cpu_time_s": 30}))
        )
        thread.start()
        time.sleep(0.5)
        assert session.interrupt()
        thread.join(10)
        assert answers[0].status == "interrupted"
        assert session.execute("kept").result == {"text/plain": "7"}
        assert not session.interrupt()


def test_a_second_call_at_the_same_time_is_refused(client: Client) -> None:
    with client.session() as session:
        other = client.attach_session(session.id)
        thread = threading.Thread(target=lambda: session.execute("import time\ntime.sleep(1)"))
        thread.start()
        time.sleep(0.3)
        with pytest.raises(SessionBusy):
            other.execute("1")
        thread.join()


def test_a_repeated_number_returns_the_first_answer_and_runs_nothing(client: Client) -> None:
    from sandbox.client import session_calls

    with client.session() as session:
        session.execute("count = 0")
        call = session_calls.build_execute_call(session.id, {"code": "count += 1\ncount", "sequence": 2})
        first, again = client._send(call), client._send(call)
        assert first == again
        assert first.result == {"text/plain": "1"}
        other = session_calls.build_execute_call(session.id, {"code": "count += 10\ncount", "sequence": 2})
        with pytest.raises(SequenceMismatch, match="other code"):
            client._send(other)
        with pytest.raises(SequenceMismatch, match="the next one is 3"):
            client._send(session_calls.build_execute_call(session.id, {"code": "count", "sequence": 5}))


def test_a_session_goes_on_after_a_refused_call_and_an_abandoned_stream(client: Client) -> None:
    with client.session() as session:
        session.execute("x = 1")
        other = client.attach_session(session.id)
        thread = threading.Thread(target=lambda: session.execute("import time\ntime.sleep(1)\nx = 2"))
        thread.start()
        time.sleep(0.3)
        with pytest.raises(SessionBusy):
            list(other.stream("x"))
        thread.join()
        assert other.execute("x").result == {"text/plain": "2"}
        for event in other.stream("print('first', flush=True)\nx = 3"):
            assert event.event == "stdout"
            break
        time.sleep(0.5)
        assert other.execute("x").result == {"text/plain": "3"}
        with pytest.raises(SequenceMismatch):  # the other client's calls took the numbers
            session.execute("x + 1")
        assert session.execute("x + 1").result == {"text/plain": "4"}


def test_a_call_repeated_while_it_runs_waits_for_its_answer(client: Client) -> None:
    from sandbox.client import session_calls

    with client.session() as session:
        call = session_calls.build_execute_call(
            session.id, {"code": "import time, random\ntime.sleep(1)\nrandom.random()", "sequence": 1}
        )
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(client._send(call))) for _ in range(3)]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        assert answers[0] == answers[1] == answers[2]


def test_an_unknown_session_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        client.attach_session("0" * 32).execute("1")


def test_a_closed_session_says_so(client: Client) -> None:
    session = client.session()
    session.open()
    session.close()
    with pytest.raises(SessionEnded, match="it was closed"):
        session.execute("1")
    session.close()  # no error


def test_a_call_moves_the_expiry_that_others_see(client: Client) -> None:
    with client.session() as session:
        session.execute("1")
        [before] = [each.expires_at for each in client.sessions() if each.id == session.id]
        time.sleep(1.0)
        session.execute("2")
        deadline = time.monotonic() + EXPIRY_TIMEOUT_S
        while True:
            [listed] = [each.expires_at for each in client.sessions() if each.id == session.id]
            view = client.live().sessions
            assert view is not None
            [live] = [each.expires_at for each in view.latest if each.id == session.id]
            if min(listed, live) >= before + 0.9:
                break
            assert time.monotonic() < deadline, (before, listed, live)
            time.sleep(0.1)


def test_an_idle_session_ends_and_says_why(client: Client) -> None:
    with client.session(idle_ttl_s=1) as session:
        session.execute("x = 1")
        time.sleep(2.5)
        with pytest.raises(SessionEnded, match="idle for 1 s"):
            session.execute("x")


def test_a_session_that_uses_its_cpu_time_up_is_closed(client: Client) -> None:
    with client.session(limits={"cpu_time_s": 0.5}) as session:
        session.execute("import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass")
        with pytest.raises(SessionEnded, match=r"0\.5 s of CPU time"):
            session.execute("1")


def test_a_session_that_runs_out_of_memory_is_lost_and_says_so(client: Client) -> None:
    with client.session(limits={"memory_mb": 64}) as session:
        answer = session.execute("x = bytearray(1 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1")
        if answer.state == "kept":
            assert answer.error is not None
            assert answer.error.type == "MemoryError"
        else:
            assert "out of memory" in answer.reason


def test_large_output_is_cut_and_flagged(client: Client) -> None:
    with client.session() as session:
        answer = session.execute("print('x' * 100_000)", limits={"output_kb": 16})
        assert answer.stdout_truncated
        assert len(answer.stdout) <= 16 * 1024
        assert session.execute("1").result == {"text/plain": "1"}


def test_invalid_requests_name_their_field(client: Client) -> None:
    with client.session() as session, pytest.raises(BadRequest, match="code or command"):
        session._call({}, None)
    with pytest.raises(BadRequest) as caught:
        client.session({"language": "cobol"}).open()
    assert caught.value.field == "body.language"


def test_sessions_are_listed_until_they_end(client: Client) -> None:
    with client.session() as session:
        listed = client.sessions()
        assert session.id in [each.id for each in listed]
    assert session.id not in [each.id for each in client.sessions()]


def test_the_stateless_routes_never_see_a_session(client: Client) -> None:
    with client.session() as session:
        session.execute("secret = 1\nopen('secret.txt', 'w').write('s')\nopen('/tmp/secret.txt', 'w').write('s')")
        code = "import glob, os\nprint('secret' in globals(), os.listdir('.'), glob.glob('/tmp/*'))"
        result = client.execute({"language": "python", "code": code})
        assert result.stdout == "False ['main.py'] []\n"


def test_json_representations_are_shown_as_text(client: Client) -> None:
    code = (
        "class Chart:\n"
        "    def __repr__(self): return 'chart'\n"
        "    def _repr_json_(self): return {'data': [1, None]}\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/html': None, 'x/y': {'a': 1}}\n"
        "display(Chart())\n"
        "Chart()"
    )
    expected = {"text/plain": "chart", "application/json": '{"data": [1, null]}', "x/y": '{"a": 1}'}
    with client.session() as session:
        answer = session.execute(code)
        assert answer.result == expected
        assert answer.displays == [expected]
        assert session.execute("1").status == "ok"


def test_lone_surrogates_do_not_break_an_answer(client: Client) -> None:
    with client.session() as session:
        answer = session.execute("raise ValueError('x\\ud800')")
        assert answer.error is not None
        assert answer.error.message.startswith("x")
        session.execute("open(b'name-\\xff', 'w').close()")
        assert [entry.path[:5] for entry in session.list_files()] == ["name-"]
        assert session.execute("'y\\ud800'").status == "ok"


def test_contexts_share_no_variables_and_a_call_has_variables_of_its_own(client: Client) -> None:
    with client.session() as session:
        session.execute("x = 1")
        assert session.execute("x = 2; x", context="other").result == {"text/plain": "2"}
        assert session.execute("import os; (x, os.environ['A'])", variables={"A": "b"}).result == {
            "text/plain": "(1, 'b')"
        }
        assert session.execute("'A' in os.environ").result == {"text/plain": "False"}
        with session.fork()[0] as fork:
            assert fork.execute("x", context="other").result == {"text/plain": "2"}
    with client.session(language="bash") as shell, pytest.raises(BadRequest, match="Python session"):
        shell.execute("echo", context="other")


def test_a_session_has_metadata_and_a_new_time_to_live(client: Client) -> None:
    with client.session(metadata={"run": "7"}, ttl_s=60) as session:
        assert session.describe().metadata == {"run": "7"}
        assert [each.metadata for each in client.sessions() if each.id == session.id] == [{"run": "7"}]
        assert session.describe().expires_at < time.time() + 61
        assert session.set_ttl(300).expires_at > time.time() + 290
        assert next(each for each in client.sessions() if each.id == session.id).expires_at > time.time() + 290
        session.set_ttl(1)
        session.execute("import time\ntime.sleep(0.2)")
        deadline = time.monotonic() + 10
        while session.describe().status == "open":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert session.describe().reason == "its time is over"
    with client.session(replay=True) as session, pytest.raises(BadRequest, match="replay"):
        session.set_ttl(60)


def test_files_can_be_read_and_written_during_a_call(client: Client) -> None:
    with client.session() as session:
        thread = threading.Thread(target=lambda: session.execute("import time\ntime.sleep(1)"))
        thread.start()
        time.sleep(0.3)
        session.put_file("a", b"b")
        assert session.get_file("a") == b"b"
        with pytest.raises(SessionBusy):
            session.snapshot()
        thread.join()
