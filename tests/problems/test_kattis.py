"""Problem packages of ICPC and Kattis, legacy and 2025-09, become problems; what cannot be expressed names its file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox.problems.importer import Options, Skipped, read_package, read_problems
from sandbox.problems.problem import Problem, Program
from sandbox.problems.unsupported import Unsupported
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase
from sandbox.schema.checkers import InteractiveChecker, ProgramChecker

CURRENT = "problem_format_version: '2025-09'\nname: Double\nuuid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427\n"
LEGACY = "name: Double\n"
GROUP, RULES = "data/secret/a/test_group.yaml", "generators/generators.yaml"
BASE = {
    "problem.yaml": CURRENT + "limits: {time_limit: 1.5, memory: 256}\n",
    "data/sample/1.in": "1\n",
    "data/sample/1.ans": "2\n",
    "data/secret/a/01.in": "3\n",
    "data/secret/a/01.ans": "6\n",
    "submissions/accepted/right.py": "print(int(input()) * 2)\n",
    "submissions/wrong_answer/constant.cpp": "int main() {}\n",
}
VALIDATOR_PY = """\
import sys
with open(sys.argv[2]) as file:
    answer = file.read()
assert sys.argv[3] == "feedback/"
right = answer.split() == sys.stdin.read().split()
with open(sys.argv[3] + "judgemessage.txt", "w") as file:
    file.write("flags " + " ".join(sys.argv[4:]))
sys.exit(42 if right else 43)
"""
VALIDATOR_CPP = """\
#include "own.h"
int main(int count, char **arguments) {
    std::ifstream answer(arguments[2]);
    int wanted, given = 0;
    if (!(answer >> wanted)) return 1;
    std::cin >> given;
    std::ofstream(std::string(arguments[3]) + "judgemessage.txt") << "flag " << (count > 4 ? arguments[4] : "none");
    exit(given == wanted ? ACCEPT : REJECT);
}
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path, changes: dict[str, str], without: Sequence[str] = ()) -> Problem:
    files = {name: text for name, text in {**BASE, **changes}.items() if name not in without}
    return read_package(write(folder / "double", files))


def list_cases(problem: Problem) -> list[tuple[str, str, str]]:
    return [
        (test.name, test.test.stdin, test.test.expected) for test in problem.tests if isinstance(test.test, TestCase)
    ]


def test_a_package_of_2025_09(tmp_path: Path) -> None:
    problem = read(tmp_path, {"statement/problem.en.md": "Double it.\n"})
    assert (problem.name, problem.title, problem.format) == ("double", "Double", "kattis")
    assert problem.statement == "Double it.\n"
    assert list_cases(problem) == [("sample/1", "1\n", "2\n"), ("secret/a/01", "3\n", "6\n")]
    assert (problem.limits.cpu_time_s, problem.limits.memory_mb) == (1.5, 256)
    assert problem.checker.type == "case_insensitive"
    right, wrong = problem.submissions
    assert (right.language, right.is_reference) == ("python", True)
    assert right.required == {Verdict.ACCEPTED}
    assert wrong.permitted == {Verdict.ACCEPTED, Verdict.WRONG_ANSWER}
    assert wrong.required == {Verdict.WRONG_ANSWER}
    assert problem.left_out == ()


def test_a_legacy_package_keeps_its_time_limit_beside_its_metadata(tmp_path: Path) -> None:
    problem = read(tmp_path, {"problem.yaml": LEGACY, ".timelimit": "3\n"})
    assert (problem.format, problem.limits.cpu_time_s) == ("kattis-legacy", 3.0)
    other = read(tmp_path / "other", {"problem.yaml": LEGACY, "domjudge-problem.ini": "timelimit='2'\n"})
    assert other.limits.cpu_time_s == 2.0
    missing = read(tmp_path / "missing", {"problem.yaml": LEGACY})
    assert missing.left_out == ("problem.yaml: limits.time_limit: is not given, so the service's default applies",)


@pytest.mark.parametrize(
    ("flags", "answer", "kind"),
    [
        ("", "x", "case_insensitive"),
        ("case_sensitive", "x", "tokens"),
        ("case_sensitive space_change_sensitive", "x", "exact"),
        ("float_tolerance 1e-6", "1.5 -2", "float"),
        ("float_tolerance 1e-6", "1.5 yes", "program"),
        ("space_change_sensitive", "x", "program"),
    ],
)
def test_flags_of_the_default_validator_choose_the_checker(tmp_path: Path, flags: str, answer: str, kind: str) -> None:
    files = {"problem.yaml": LEGACY + f"validator_flags: {flags}\n", "data/secret/a/01.ans": answer}
    assert read(tmp_path, files).checker.type == kind


def run_checker(problem: Problem, folder: Path, output: str, answer: str = "6\n") -> tuple[int, str]:
    """Run a checker as the service calls it. Returns its exit code and stderr."""
    checker = problem.checker
    assert isinstance(checker, ProgramChecker | InteractiveChecker)
    for name, text in (("input.txt", "3\n"), ("output.txt", output), ("answer.txt", answer)):
        (folder / name).write_text(text)
    if checker.language == "python":
        (folder / "main.py").write_text(checker.code)
        command = [sys.executable, "main.py"]
    else:
        (folder / "main.cpp").write_text(checker.code)
        compiler = ["g++", "-std=gnu++20", "-o", "main", "main.cpp"]
        subprocess.run(compiler, cwd=folder, check=True, capture_output=True)
        command = ["./main"]
    arguments = ["input.txt", "output.txt", "answer.txt"]
    stdin = output if isinstance(checker, InteractiveChecker) else ""
    done = subprocess.run([*command, *arguments], cwd=folder, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_the_default_validator_with_tolerances_and_words(tmp_path: Path) -> None:
    files = {"problem.yaml": LEGACY + "validator_flags: float_tolerance 1e-3\n", "data/secret/a/01.ans": "1.0 Yes"}
    problem = read(tmp_path, files)
    assert run_checker(problem, tmp_path, "1.0005\nyes", "1.0 Yes")[0] == 0
    assert run_checker(problem, tmp_path, "1.01 yes", "1.0 Yes")[0] == 1
    assert run_checker(problem, tmp_path, "1.0", "1.0 Yes")[0] == 1


CUSTOM = {
    "python": {"output_validator/validate.py": VALIDATOR_PY},
    "cpp": {
        "output_validator/validate.cpp": VALIDATOR_CPP,
        "output_validator/own.h": "#pragma once\n#include <bits/stdc++.h>\nconst int ACCEPT = 42, REJECT = 43;\n",
    },
}


@pytest.mark.parametrize("language", CUSTOM)
def test_a_custom_validator_keeps_its_protocol(tmp_path: Path, language: str) -> None:
    arguments = {"data/test_group.yaml": "output_validator_args: [strict]\n"}
    problem = read(tmp_path, {**CUSTOM[language], **arguments})
    code, message = run_checker(problem, tmp_path, "6\n")
    assert code == 0
    assert message in {"flags strict", "flag strict"}
    assert run_checker(problem, tmp_path, "7\n")[0] == 1


@pytest.mark.parametrize("language", CUSTOM)
def test_an_interactive_validator_talks_over_its_own_stdin(tmp_path: Path, language: str) -> None:
    problem = read(tmp_path, {**CUSTOM[language], "problem.yaml": CURRENT + "type: interactive\n"})
    assert isinstance(problem.checker, InteractiveChecker)
    assert run_checker(problem, tmp_path, "6\n")[0] == 0
    assert run_checker(problem, tmp_path, "7\n")[0] == 1


def test_a_custom_validator_that_fails_is_not_a_wrong_answer(tmp_path: Path) -> None:
    problem = read(tmp_path, {"output_validator/validate.py": "import sys\nsys.exit(1)\n"})
    assert run_checker(problem, tmp_path, "6\n")[0] == 3


def test_tests_have_arguments_and_files(tmp_path: Path) -> None:
    files = {
        "data/secret/a/01.yaml": "args: [--fast]\ninput_validator_args: [small]\n",
        "data/secret/a/01.files/words.txt": "a b\n",
    }
    test = read(tmp_path, files).tests[1]
    assert test.test == TestCase(stdin="3\n", expected="6\n", args=["--fast"], files={"words.txt": b"a b\n"})
    assert test.validator_args == ("small", "--fast")


def test_constants_are_replaced_in_programs(tmp_path: Path) -> None:
    files = {
        "problem.yaml": CURRENT + "constants: {factor: 2}\n",
        "submissions/accepted/right.py": "print({{factor}} * int(input()), '{{other}}')\n",
    }
    assert read(tmp_path, files).submissions[0].code == "print(2 * int(input()), '{{other}}')\n"


def test_validators_and_examples_of_outputs_are_read(tmp_path: Path) -> None:
    files = {
        "input_validators/check.py": "import sys\nsys.exit(42)\n",
        "input_validators/grammar.ctd": "EOF\n",
        "data/invalid_input/zero.in": "0\n",
        "data/invalid_output/bad.in": "3\n",
        "data/invalid_output/bad.ans": "6\n",
        "data/invalid_output/bad.out": "7\n",
    }
    problem = read(tmp_path, files)
    assert [each.name for each in problem.input_validators] == ["input_validators/check.py"]
    assert [each.name for each in problem.invalid_inputs] == ["invalid_input/zero"]
    (example,) = problem.output_examples
    assert (example.output, example.is_valid) == (b"7\n", False)
    assert problem.left_out[0] == "input_validators/grammar.ctd: grammars of this kind are not run"


def test_invalid_inputs_have_the_settings_of_their_group_and_test(tmp_path: Path) -> None:
    files = {
        "data/invalid_input/test_group.yaml": "input_validator_args: [small]\n",
        "data/invalid_input/a.in": "0\n",
        "data/invalid_input/more/b.in": "0\n",
        "data/invalid_input/more/b.yaml": "input_validator_args: [large]\n",
    }
    tests = read(tmp_path, files).invalid_inputs
    assert {test.name: test.validator_args for test in tests} == {
        "invalid_input/a": ("small",),
        "invalid_input/more/b": ("large",),
    }


def test_a_header_beside_a_python_validator_is_ignored(tmp_path: Path) -> None:
    files = {"output_validator/own.h": "// helper\n", "input_validators/own.h": "", "input_validators/check.py": "x\n"}
    problem = read(tmp_path, {**CUSTOM["python"], **files})
    assert isinstance(problem.checker, ProgramChecker)
    assert problem.checker.language == "python"
    assert [each.name for each in problem.input_validators] == ["input_validators/check.py"]


def test_statements_that_are_not_imported_are_listed(tmp_path: Path) -> None:
    files = {
        "statement/problem.de.md": "Verdopple.\n",
        "statement/problem.en.tex": "Double it.\n",
        "statement/figure.svg": "<svg/>\n",
    }
    problem = read(tmp_path, files)
    assert problem.statement == "Double it.\n"
    assert problem.left_out == (
        "statement/figure.svg: only the text of one statement is imported",
        "statement/problem.de.md: only the text of one statement is imported",
    )
    other = read(tmp_path / "other", {"statement/problem.de.md": "Verdopple.\n"})
    assert (other.statement, other.left_out) == ("Verdopple.\n", ())


@pytest.mark.parametrize(
    "name",
    [
        "data/secret/a/01.in",
        "data/secret/a/01.ans",
        "data/secret/a/01.files/words.txt",
        "data/secret/a/01.yaml",
        "data/secret/test_group.yaml",
        "data/invalid_input/zero.in",
        "data/valid_output/one.out",
        "statement/problem.en.md",
        "submissions/submissions.yaml",
        "output_validator/validate.py",
        "input_validators/check.py",
        "generators/generators.yaml",
        "generators/manual/7.in",
        "problem.yaml",
    ],
)
def test_a_link_that_leaves_the_package_is_an_error(tmp_path: Path, name: str) -> None:
    files = {
        **BASE,
        "data/valid_output/one.in": "1\n",
        "data/valid_output/one.ans": "2\n",
        "data/valid_output/one.out": "2\n",
    }
    if name.startswith("generators/manual"):
        files["generators/generators.yaml"] = "data: {secret: {data: {'7': {copy: manual/7, ans: '14'}}}}\n"
    package = write(tmp_path / "double", files)
    (tmp_path / "outside").write_text("secret\n")
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).unlink(missing_ok=True)
    (package / name).symlink_to(tmp_path / "outside")
    with pytest.raises(Unsupported, match="is not a file of the package") as caught:
        read_package(package)
    assert caught.value.where == name


def test_a_link_within_the_package_is_read(tmp_path: Path) -> None:
    package = write(tmp_path / "double", BASE)
    (package / "data" / "secret" / "b").mkdir()
    for suffix in (".in", ".ans"):
        (package / "data" / "secret" / "b" / f"1{suffix}").symlink_to(package / "data" / "sample" / f"1{suffix}")
    assert list_cases(read_package(package))[-1] == ("secret/b/1", "1\n", "2\n")


def test_a_rejected_submission_must_compile(tmp_path: Path) -> None:
    submission = read(tmp_path, {"submissions/rejected/wrong.py": "print(1)\n"}).submissions[1]
    assert submission.name == "submissions/rejected/wrong.py"
    assert Verdict.ACCEPTED in submission.permitted - submission.required
    assert Verdict.COMPILE_ERROR not in submission.permitted | submission.required


def test_submissions_yaml_narrows_and_replaces_verdicts(tmp_path: Path) -> None:
    rules = """\
wrong_answer: {permitted: [AC, WA, TLE], required: [WA, TLE]}
'*/{constant,other}.cpp': {permitted: [AC, TLE]}
"""
    problem = read(tmp_path, {"submissions/submissions.yaml": rules})
    wrong = problem.submissions[1]
    assert wrong.permitted == {Verdict.ACCEPTED, Verdict.TIME_LIMIT_EXCEEDED}
    assert wrong.required == {Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT_EXCEEDED}


def test_a_submission_that_cannot_run_is_listed(tmp_path: Path) -> None:
    problem = read(tmp_path, {"submissions/accepted/right.cobol": "x"})
    assert problem.left_out == (
        "submissions/accepted/right.cobol: no language of this service has files ending in '.cobol'",
    )


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"problem.yaml": "problem_format_version: '2030-01'\n"}, "problem.yaml: problem_format_version"),
        ({"problem.yaml": CURRENT + "type: scoring\n"}, "problem.yaml: type"),
        ({"problem.yaml": CURRENT + "type: [interactive, multi-pass]\n"}, "problem.yaml: type"),
        ({"problem.yaml": CURRENT + "colour: red\n"}, "problem.yaml: colour"),
        ({"problem.yaml": CURRENT + "limits: {time: 1}\n"}, "problem.yaml: limits.time"),
        ({"problem.yaml": CURRENT + "limits: {time_limit: 1000}\n"}, "problem.yaml: limits.cpu_time_s"),
        ({"problem.yaml": CURRENT + "languages: [c, cpp]\n"}, "problem.yaml: languages"),
        ({"problem.yaml": LEGACY + "validation: custom score\n"}, "problem.yaml: validation"),
        ({"problem.yaml": LEGACY + "validator_flags: fuzzy\n"}, "problem.yaml"),
        ({"problem.yaml": LEGACY + "validator_flags: float_tolerance x\n"}, "problem.yaml: float_tolerance"),
        ({"problem.yaml": LEGACY + "validation: custom\n"}, "output_validators/"),
        ({"problem.yaml": "a: [\n"}, "problem.yaml"),
        ({"problem.yaml": CURRENT + "constants: [1]\n"}, "problem.yaml: constants"),
        ({"output_validators/validate.py": "x"}, "output_validators/"),
        ({GROUP: "input_validator_args: 'a \"b'\n"}, f"{GROUP}: input_validator_args"),
        ({RULES: "data: {secret: {data: {'02': {generate: ''}}}}\n"}, f"{RULES}: secret/02: generate"),
        ({RULES: "data: {secret: {data: {'02': {in: '4', yaml: [1]}}}}\n"}, f"{RULES}: secret/02: yaml"),
        ({RULES: "data: {valid_output: {data: {a: {in: '4', ans: '8'}}}}\n"}, f"{RULES}: valid_output/a: out"),
        ({"include/default/driver.py": "x"}, "include/"),
        ({"static_validator/check.py": "x"}, "static_validator/"),
        ({"data/secret/a/02.in": "1\n"}, "data/secret/a/02.in"),
        ({"data/secret/a/testdata.yaml": "grading: custom\n"}, "data/secret/a/testdata.yaml: grading"),
        ({"data/secret/a/testdata.yaml": "grader_flags: ignore_sample\n"}, "data/secret/a/testdata.yaml: grader_flags"),
        ({GROUP: "static_validation_score: 3\n"}, f"{GROUP}: static_validation_score"),
        ({GROUP: "output_validator_args: [case_sensitive]\n"}, GROUP),
        ({"output_validator/a.py": "x", "output_validator/b.py": "x"}, "output_validator"),
        ({"output_validator/a.java": "x"}, "output_validator/a.java"),
        ({"input_validators/two/a.py": "x", "input_validators/two/b.py": "x"}, "input_validators/two"),
        ({RULES: "data: {secret: {data: {'02': gen.py 5}}}\n"}, f"{RULES}: gen.py"),
        ({RULES: "data: {secret: {data: {'02': {in: '4', count: 3}}}}\n"}, f"{RULES}: secret/02: count"),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_names_its_file(tmp_path: Path, files: dict[str, str], where: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read(tmp_path, files)
    assert caught.value.where == where


def test_samples_alone_are_not_tests(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="data/secret: has no tests"):
        read(tmp_path, {}, without=["data/secret/a/01.in", "data/secret/a/01.ans"])


class LocalRunner:
    """Runs Python programs of the test in a process of this machine."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def run(self, program: Program, args: Sequence[str], stdin: bytes) -> bytes:
        self.calls.append((program.name, list(args)))
        command = [sys.executable, "-c", program.code, *args]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


GENERATORS = """\
solution: /submissions/accepted/right.py
random_salt: salt
generators:
  numbered:
    - gen.py
data:
  sample:
    data:
      '1': {in: '1', ans: '2'}
  secret:
    data:
      - edge:
          in: '5'
      - copied: {copy: manual/7}
      - '': gen.py 9
      - seeded: numbered {seed:2}
      - more:
          data:
            x: {generate: gen.py 11, desc: eleven}
"""


def test_generators_yaml_makes_the_tests_that_are_missing(tmp_path: Path) -> None:
    files = {
        "generators/generators.yaml": GENERATORS,
        "generators/gen.py": "import sys\nprint(sys.argv[1])\n",
        "generators/manual/7.in": "7\n",
        "generators/manual/7.ans": "14\n",
    }
    with pytest.raises(Unsupported, match="secret/1-edge: has to be generated"):
        read(tmp_path, files)
    runner = LocalRunner()
    problem = read_package(tmp_path / "double", Options(runner=runner))
    seed = int(hashlib.sha512(b"saltnumbered {seed:2}").hexdigest(), 16) % 2**31
    assert list_cases(problem) == [
        ("sample/1", "1\n", "2\n"),
        ("secret/1-edge", "5\n", "10\n"),
        ("secret/2-copied", "7\n", "14\n"),
        ("secret/3", "9\n", "18\n"),
        ("secret/4-seeded", f"{seed}\n", f"{2 * seed}\n"),
        ("secret/a/01", "3\n", "6\n"),
        ("secret/g1-more/x", "11\n", "22\n"),
    ]
    assert ("generators/gen.py", ["9"]) in runner.calls


OTHER_RULES = """\
data:
  invalid_input:
    test_group.yaml: {input_validator_args: [small]}
    data:
      zero: {in: '0'}
      made: gen.py 5
  valid_output:
    data:
      one: {in: '1', ans: '2', out: '2.0'}
  invalid_output:
    data:
      copied: {copy: manual/7}
  invalid_answer:
    data:
      two: {in: '2', ans: '5'}
  sample: {data: {}}
"""


def test_rules_for_other_folders_are_not_tests(tmp_path: Path) -> None:
    files = {
        RULES: OTHER_RULES,
        "generators/gen.py": "import sys\nprint(sys.argv[1])\n",
        "generators/manual/7.in": "7\n",
        "generators/manual/7.ans": "14\n",
        "generators/manual/7.out": "15\n",
    }
    problem = read(tmp_path, files)
    assert [test.name for test in problem.tests] == ["sample/1", "secret/a/01"]
    assert [(test.name, test.validator_args) for test in problem.invalid_inputs] == [
        ("invalid_input/zero", ("small",)),
    ]
    assert [(each.name, each.output, each.is_valid) for each in problem.output_examples] == [
        ("valid_output/one", b"2.0\n", True),
        ("invalid_output/copied", b"15\n", False),
    ]
    assert problem.left_out == (
        f"{RULES}: invalid_input/made: has to be generated, which needs a running service",
        f"{RULES}: invalid_answer/two: is in a folder that has no tests",
    )
    generated = read_package(tmp_path / "double", Options(runner=LocalRunner()))
    assert [test.name for test in generated.invalid_inputs] == ["invalid_input/zero", "invalid_input/made"]


def test_a_folder_of_packages_yields_each_or_why_not(tmp_path: Path) -> None:
    write(tmp_path / "good", BASE)
    write(tmp_path / "bad", {**BASE, "problem.yaml": CURRENT + "type: scoring\n"})
    skipped, found = read_problems(tmp_path)
    assert isinstance(found, Problem)
    assert found.name == "good"
    assert isinstance(skipped, Skipped)
    assert (skipped.place, skipped.reason.partition(": scoring")[0]) == ("bad", "problem.yaml: type")


def test_generated_tests_inherit_the_settings_of_their_group(tmp_path: Path) -> None:
    files = {
        "data/test_group.yaml": "output_validator_args: [float_tolerance, '1e-6']\n",
        "data/secret/test_group.yaml": "input_validator_args: [small]\n",
        RULES: "data: {secret: {data: {'02': {in: '4', ans: '8'}}}}\n",
    }
    problem = read(tmp_path, files)
    assert problem.checker.type == "float"
    assert {test.name: test.validator_args for test in problem.tests}["secret/02"] == ("small",)
