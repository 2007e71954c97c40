"""Judging what a session holds with tests that it never sees."""

from __future__ import annotations

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest

SOLUTION = "def add(a, b):\n    return a + b\n"


def test_functions_of_the_calls_are_judged(client: Client) -> None:
    with client.session() as session:
        session.execute("def add(a, b):\n    return a - b")
        session.execute("def add(a, b):\n    return a + b")
        result = session.verify([{"assert": "assert add(2, 3) == 5"}])
        assert result.verdict == "accepted"


def test_a_file_is_judged(client: Client) -> None:
    with client.session() as session:
        session.put_file("solution.py", SOLUTION.encode())
        tests = [{"args": [1, 2], "expected": 3}, {"args": [1, 2], "expected": 4}]
        result = session.verify(tests, file="solution.py", entry_point="add")
        assert (result.passed, result.total) == (1, 2)
        with pytest.raises(BadRequest, match="no file"):
            session.verify(tests, file="other.py", entry_point="add")


def test_a_program_reads_the_files_of_the_session(client: Client) -> None:
    with client.session() as session:
        session.put_file("data/numbers.txt", b"1 2 3")
        session.put_file("total.py", b"print(sum(map(int, open('data/numbers.txt').read().split())))")
        assert session.verify([{"expected": "6"}], file="total.py").verdict == "accepted"


def test_a_program_reads_hard_links(client: Client) -> None:
    with client.session() as session:
        session.put_file("one.txt", b"1 2 3")
        assert session.command("ln one.txt two.txt").exit_code == 0
        session.put_file("total.py", b"print(open('one.txt').read(), open('two.txt').read())")
        assert session.verify([{"expected": "1 2 3 1 2 3"}], file="total.py").verdict == "accepted"


def test_functions_of_the_calls_are_judged_without_the_files(client: Client) -> None:
    with client.session() as session:
        session.execute("def add(a, b):\n    return a + b")
        session.command("head -c 34000000 /dev/zero > large")
        tests = [{"assert": "assert add(2, 3) == 5"}, {"args": [1, 2], "expected": 3}]
        assert session.verify(tests, entry_point="add").verdict == "accepted"
        with pytest.raises(BadRequest, match="more than 32 MiB"):
            session.verify([{"expected": ""}])


def test_a_program_cannot_edit_the_tests_or_the_reward(client: Client) -> None:
    """The attacks of OpenEnv #1200 and rllm #813: the agent rewrites the tests, and writes the reward itself."""
    with client.session() as session:
        session.put_file("solution.py", b"def add(a, b):\n    return 0\n")
        session.execute(
            "import os\n"
            "os.makedirs('tests', exist_ok=True)\n"
            "open('tests/test_add.py', 'w').write('def test_add(): pass')\n"
            "open('reward.txt', 'w').write('1.0')\n"
            "open('conftest.py', 'w').write('import os; os._exit(0)')\n"
            "open('sitecustomize.py', 'w').write('import os; os._exit(0)')"
        )
        pytest_file = "from solution import add\n\ndef test_add():\n    assert add(1, 2) == 3\n"
        for tests in ([{"pytest": pytest_file}], [{"assert": "assert add(1, 2) == 3"}]):
            result = session.verify(tests, file="solution.py")
            assert result.verdict != "accepted"
            assert result.score == 0


def test_hidden_files_replace_those_of_the_session(client: Client) -> None:
    with client.session() as session:
        session.put_file("check.sh", b"exit 0")
        session.put_file("answer.txt", b"wrong")
        command = ["sh", "check.sh"]
        hidden = {"check.sh": b"grep -q right answer.txt"}
        session.put_file("main_program.py", b"")
        result = session.verify([{"command": command}], file="main_program.py", hidden=hidden)
        assert result.verdict != "accepted"
        session.put_file("answer.txt", b"right")
        result = session.verify([{"command": command}], file="main_program.py", hidden=hidden)
        assert result.verdict == "accepted"


def test_the_session_never_sees_the_tests(client: Client) -> None:
    with client.session() as session:
        session.put_file("solution.py", SOLUTION.encode())
        session.verify([{"assert": "assert add(40, 2) == 42  # hidden marker"}], file="solution.py")
        answer = session.command("grep -rs 'hidden marker' . /tmp /box 2>/dev/null; ls")
        assert answer.stdout == "solution.py\n"


def test_code_that_is_too_long_to_be_kept_is_not_judged_in_part(client: Client) -> None:
    with client.session() as session:
        for _ in range(5):
            assert session.execute("#" + "x" * 1_000_000).status == "ok"
        with pytest.raises(BadRequest, match="4 MiB"):
            session.verify([{"assert": "assert True"}])
