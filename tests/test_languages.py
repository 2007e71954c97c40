"""The table of languages, and a real run of each of them."""

from __future__ import annotations

import pytest

from sandbox import languages
from sandbox.box.docker.images import IMAGES, ON_DEMAND_IMAGES
from sandbox.box.slot import Slot
from sandbox.errors import UnknownLanguage
from sandbox.rewards import fences
from sandbox.runner.contract import Mode, Status
from tests.box.running import run_once

ECHO = {
    "python": "import sys; print(sys.argv[1], input())",
    "cpp": """
        #include <bits/stdc++.h>
        int main(int, char **args) {
            std::string line;
            std::getline(std::cin, line);
            std::cout << args[1] << ' ' << line << '\\n';
        }
    """,
    "c": """
        #include <stdio.h>
        int main(int count, char **args) { char line[99]; printf("%s %s", args[1], fgets(line, 99, stdin)); return 0; }
    """,
    "javascript": "console.log(process.argv[2], require('fs').readFileSync(0, 'utf8').trim())",
    "bash": 'read -r line; echo "$1 $line"',
}
FAILING = {
    "python": "raise SystemExit(7)",
    "cpp": "#include <cstdlib>\nint main() { std::exit(7); }",
    "c": "int main(void) { return 7; }",
    "javascript": "process.exit(7)",
    "bash": "exit 7",
}
LOOPING = {
    "python": "while True: pass",
    "cpp": "int main() { for (volatile int i = 0;; i = i + 1) ; }",
    "c": "int main(void) { for (volatile int i = 0;; i = i + 1) ; }",
    "javascript": "for (;;) ;",
    "bash": "while :; do :; done",
}


def test_the_five_first_languages_have_every_kind_of_test_here() -> None:
    assert set(ECHO) == set(FAILING) == set(LOOPING) <= set(languages.load_languages())


@pytest.mark.parametrize("name", sorted(ECHO))
def test_a_program_reads_its_arguments_and_its_input(slot: Slot, name: str) -> None:
    outcome = run_once(slot, ECHO[name], language=name, args=("first",), stdin=b"second\n", memory_mb=512)
    assert (outcome.status, outcome.stdout.strip()) == (Status.OK, b"first second"), outcome


@pytest.mark.parametrize("name", sorted(FAILING))
def test_a_program_tells_its_exit_code(slot: Slot, name: str) -> None:
    outcome = run_once(slot, FAILING[name], language=name, memory_mb=512)
    assert (outcome.status, outcome.exit_code) == (Status.RUNTIME_ERROR, 7), outcome


@pytest.mark.parametrize("name", sorted(LOOPING))
def test_a_program_that_loops_is_ended(slot: Slot, name: str) -> None:
    outcome = run_once(slot, LOOPING[name], language=name, cpu_time_s=0.7, memory_mb=512)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED, outcome


@pytest.mark.parametrize("name", ["c", "cpp"])
def test_what_does_not_compile_says_where(slot: Slot, name: str) -> None:
    outcome = run_once(slot, "int main() {\n    return missing;\n}", language=name)
    assert outcome.status is Status.COMPILE_ERROR
    assert b":2:" in outcome.stderr
    assert b"missing" in outcome.stderr


def test_a_compiler_that_is_led_astray_is_a_compile_error_too(slot: Slot) -> None:
    endless = "template <int n> struct S { static const long v = S<n - 1>::v; };\nint main() { return S<9>::v; }"
    assert run_once(slot, endless, language="cpp").status is Status.COMPILE_ERROR
    assert run_once(slot, '#include "/dev/stdin"', language="cpp").status is Status.COMPILE_ERROR
    assert run_once(slot, ECHO["cpp"], language="cpp", args=("still",), stdin=b"works").ended_well


@pytest.mark.parametrize(
    ("code", "signal"),
    [
        ("#include <vector>\nint main() { std::vector<int> v; return v.at(1); }", 6),
        ("int main() { volatile int *nowhere = nullptr; return *nowhere; }", 11),
        ("int main(int count, char **) { volatile int zero = count - 1; return 7 / zero; }", 8),
    ],
)
def test_a_cpp_program_that_crashes_is_a_runtime_error_with_its_signal(slot: Slot, code: str, signal: int) -> None:
    outcome = run_once(slot, code, language="cpp")
    assert (outcome.status, outcome.signal) == (Status.RUNTIME_ERROR, signal)


def test_endless_recursion_in_cpp_is_ended_by_its_memory(slot: Slot) -> None:
    endless = "int f(volatile int n) { return n + f(n + 1) + n; }\nint main() { return f(0); }"
    outcome = run_once(slot, endless, language="cpp", memory_mb=64)
    assert outcome.status in {Status.RUNTIME_ERROR, Status.MEMORY_LIMIT_EXCEEDED}
    assert outcome.signal in {9, 11}


def test_names_aliases_and_suffixes_lead_to_the_language() -> None:
    assert languages.get_language("C++") is languages.load_languages()["cpp"]
    assert languages.get_language_by_suffix(".PY") is languages.load_languages()["python"]
    for name, language in languages.load_languages().items():
        assert languages.get_language(name) is language
        for alias in language.aliases:
            assert languages.get_language(alias) is language
        for suffix in language.suffixes:
            assert languages.get_language_by_suffix(suffix) is language


def test_an_unknown_name_or_suffix_is_told_with_what_is_known() -> None:
    with pytest.raises(UnknownLanguage, match="unknown language; did you mean 'python'"):
        languages.get_language("Pyhton")
    with pytest.raises(UnknownLanguage, match="unknown language; see GET /languages"):
        languages.get_language("malbolge")
    with pytest.raises(UnknownLanguage, match=r"\.cob"):
        languages.get_language_by_suffix(".cob")


def test_unknown_names_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extraction looks up each fence's tag, so only an error may compare a name with all known ones."""
    monkeypatch.setattr(languages, "get_close_matches", pytest.fail)
    assert languages.find_language("malbolge") is None
    assert fences.tag_language("nonsense") == "nonsense"


def test_no_two_languages_share_a_name_or_a_suffix() -> None:
    rows = languages.load_languages().values()
    names = [name for row in rows for name in (row.name, *row.aliases)]
    suffixes = [suffix for row in rows for suffix in row.suffixes]
    assert len(names) == len(set(names))
    assert len(suffixes) == len(set(suffixes))


def test_every_language_has_an_image_of_ours_and_a_version() -> None:
    for language in languages.load_languages().values():
        assert language.image in (*IMAGES, *ON_DEMAND_IMAGES)
        assert language.version


def test_a_compiled_language_says_what_to_keep_and_only_python_is_forked() -> None:
    for language in languages.load_languages().values():
        assert bool(language.compile_command) == bool(language.keep)
        assert language.forked == (language.name == "python")


@pytest.mark.parametrize(
    ("code", "mode"),
    [
        ("print(input())", Mode.FORK_PLAIN),
        ("print(open(0).read())", Mode.FORK),
        ("import sys; print(sys.modules)", Mode.EXEC),
        (b"# -*- coding: latin-1 -*-\nprint('\xe9')", Mode.EXEC),
    ],
)
def test_how_a_python_program_is_started_depends_on_what_it_names(code: str | bytes, mode: Mode) -> None:
    assert languages.get_language("python").build_program(code).mode is mode
