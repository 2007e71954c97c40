"""A shell branch: one bash that keeps its state between calls."""

from __future__ import annotations

import time

from tests.runner.session.session_box import SessionBox


def test_directory_variables_functions_and_options_are_kept(shell: SessionBox) -> None:
    shell.execute('mkdir d; cd d; x=5; f() { echo "f $1"; }; shopt -s nullglob')
    answer = shell.execute("basename $PWD; echo $x; f 2; echo *.none")
    assert (answer.stdout, answer.header["exit_code"]) == ("d\n5\nf 2\n\n", 0)


def test_the_exit_code_is_that_of_the_last_command(shell: SessionBox) -> None:
    answer = shell.execute("true; (exit 42)")
    assert (answer.header["status"], answer.header["exit_code"]) == ("error", 42)
    assert shell.execute("echo $?").stdout == "42\n"


def test_heredocs_loops_and_many_lines_work(shell: SessionBox) -> None:
    answer = shell.execute("for i in 1 2; do\n  cat <<END\nline $i\nEND\ndone\necho done >&2")
    assert (answer.stdout, answer.stderr) == ("line 1\nline 2\n", "done\n")


def test_commands_read_the_calls_stdin(shell: SessionBox) -> None:
    assert shell.execute("read a; cat; echo $a", stdin="1\n2\n").stdout == "2\n1\n"
    assert shell.execute("cat").stdout == ""


def test_a_syntax_error_and_an_unset_variable_keep_the_shell(shell: SessionBox) -> None:
    shell.execute("x=1")
    answer = shell.execute("if then")
    assert (answer.header["exit_code"], answer.header["state"]) == (2, "kept")
    assert "syntax error" in answer.stderr
    assert shell.execute("set -u; echo $nope").header["state"] == "kept"
    assert shell.execute("set +u; echo $x").stdout == "1\n"


def test_an_exit_and_a_failure_with_set_e_end_the_shell(shell: SessionBox) -> None:
    answer = shell.execute("exit 3")
    assert (answer.header["status"], answer.header["state"], answer.header["exit_code"]) == ("ended", "lost", 3)
    assert "code 3" in answer.header["reason"]
    shell.open(1, kind="shell")
    assert shell.execute("set -e; false; echo no", branch=1).header["status"] == "ended"


def test_an_interrupt_stops_the_whole_command_and_keeps_the_state(shell: SessionBox) -> None:
    shell.execute("x=1; f() { sleep 20; echo no; }")
    number = shell.send_code("echo begun; while true; do f; done; echo no")
    shell.wait_for_output(number)
    shell.ask("interrupt")
    answer = shell.wait(number)
    assert (answer.header["status"], answer.header["state"], answer.stdout) == ("interrupted", "kept", "")
    assert shell.execute("echo $x").stdout == "1\n"
    assert shell.execute("while :; do :; done", cpu_time_s=0.3).header["status"] == "time_limit"
    assert shell.execute("echo $x").stdout == "1\n"


def test_background_jobs_are_kept(shell: SessionBox) -> None:
    shell.execute("(sleep 0.3; echo late > file) & job=$!")
    assert shell.execute("wait $job; cat file").stdout == "late\n"


def test_a_fork_copies_directory_variables_and_functions(shell: SessionBox) -> None:
    shell.execute("mkdir d; cd d; echo one > f; export X=5; y=(a 'b c'); g() { echo g$1; }; alias l=ls; set -u")
    first, second = shell.fork(count=2)
    assert shell.execute('cat f; echo $X "${y[1]}"; g 3; basename $PWD', first).stdout == "one\n5 b c\ng3\nd\n"
    shell.execute("echo two > f; X=6", first)
    assert shell.execute("cat f; echo $X; env | grep ^X=", second).stdout == "one\n5\nX=5\n"
    assert shell.execute("cat f; echo $X").stdout == "one\n5\n"
    assert shell.execute("nope", second).stderr.endswith("nope: command not found\n")


def test_a_closed_shell_leaves_no_process(shell: SessionBox) -> None:
    shell.execute("setsid sleep 50 & disown")
    shell.open(1)
    assert shell.ask("close").header["closed"] is True
    time.sleep(0.1)
    code = "import os\n[open(f'/proc/{p}/comm').read() for p in os.listdir('/proc') if p.isdigit()].count('sleep\\n')"
    assert shell.execute(code, 1).text == "0"
