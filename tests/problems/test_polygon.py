"""Packages of Codeforces Polygon become problems; what cannot be expressed names its file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandbox.cli.quality import build_request
from sandbox.problems.importer import read_package, read_problems
from sandbox.problems.problem import Problem, Protocol
from sandbox.problems.unsupported import Unsupported
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase
from sandbox.schema.checkers import InteractiveChecker, ProgramChecker

XML = """\
<?xml version="1.0" encoding="utf-8" standalone="no"?>
<problem revision="3" short-name="double" url="https://polygon.example/double">
  <names><name language="russian" value="-"/><name language="english" value="Double"/></names>
  <judging cpu-name="x" cpu-speed="3600" input-file="" output-file="" run-count="1">
    <testset name="tests">
      <time-limit>1500</time-limit>
      <memory-limit>268435456</memory-limit>
      <test-count>2</test-count>
      <input-path-pattern>tests/%02d</input-path-pattern>
      <answer-path-pattern>tests/%02d.a</answer-path-pattern>
      <tests>
        <test method="manual" sample="true"/>
        <test cmd="gen 5" method="generated"/>
      </tests>
    </testset>
  </judging>
  <files>
    <executables><executable><source path="files/gen.cpp" type="cpp.g++17"/></executable></executables>
  </files>
  <assets>
    <checker name="std::ncmp.cpp" type="testlib">
      <source path="files/check.cpp" type="cpp.g++17"/>
      <testset><test-count>0</test-count><tests/></testset>
    </checker>
    <validators><validator><source path="files/val.cpp" type="cpp.g++17"/></validator></validators>
    <solutions>
      <solution tag="main"><source path="solutions/main.cpp" type="cpp.g++17"/></solution>
      <solution tag="time-limit-exceeded"><source path="solutions/slow.py" type="python.3"/></solution>
      <solution tag="rejected"><source path="solutions/old.dpr" type="delphi"/></solution>
    </solutions>
  </assets>
</problem>
"""
FILES = {
    "problem.xml": XML,
    "tests/01": "1\n",
    "tests/01.a": "2\n",
    "tests/02": "5\n",
    "tests/02.a": "10\n",
    "files/gen.cpp": "// generator",
    "files/check.cpp": "// checker",
    "files/val.cpp": "// validator",
    "solutions/main.cpp": "// main",
    "solutions/slow.py": "# slow",
}
INTERACTOR = '<interactor><source path="files/check.cpp" type="cpp.g++17"/></interactor>'


def write(folder: Path, changes: dict[str, str]) -> Path:
    for name, text in {**FILES, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_package(tmp_path: Path) -> None:
    problem = read_package(write(tmp_path, {}))
    assert (problem.name, problem.title, problem.format) == ("double", "Double", "polygon")
    assert [test.test for test in problem.tests] == [
        TestCase(stdin="1\n", expected="2\n"),
        TestCase(stdin="5\n", expected="10\n"),
    ]
    assert [test.is_sample for test in problem.tests] == [True, False]
    assert (problem.limits.cpu_time_s, problem.limits.memory_mb) == (1.5, 256)
    assert isinstance(problem.checker, ProgramChecker)
    assert (problem.checker.language, problem.checker.code) == ("cpp17", "// checker")
    assert [each.protocol for each in problem.input_validators] == [Protocol.TESTLIB]
    assert [each.required for each in problem.submissions] == [{Verdict.ACCEPTED}, {Verdict.TIME_LIMIT_EXCEEDED}]
    assert problem.left_out == (
        "files/gen.cpp: is not run, because the package contains the generated tests",
        "solutions/old.dpr: the language 'delphi' is not supported",
    )


STATEMENTS = """\
<statements>
  <statement language="russian" path="statements/russian/problem.tex" type="application/x-tex"/>
  <statement language="english" path="statements/.pdf/english/problem.pdf" type="application/pdf"/>
  <statement language="english" path="statements/english/problem.tex" type="application/x-tex"/>
</statements>
"""


def test_the_english_statement_is_imported_and_the_others_are_listed(tmp_path: Path) -> None:
    changes = {
        "problem.xml": XML.replace("<judging", f"{STATEMENTS}<judging"),
        "statements/english/problem.tex": "Double it.\n",
    }
    problem = read_package(write(tmp_path, changes))
    assert problem.statement == "Double it.\n"
    assert problem.left_out[:2] == (
        "statements/russian/problem.tex: only one statement is imported",
        "statements/.pdf/english/problem.pdf: only one statement is imported",
    )


def test_a_generator_in_another_language_does_not_refuse_the_package(tmp_path: Path) -> None:
    xml = XML.replace('files/gen.cpp" type="cpp.g++17"', 'files/gen.dpr" type="delphi"')
    assert "files/gen.dpr: is not run" in read_package(write(tmp_path, {"problem.xml": xml})).left_out[0]


def test_tests_of_the_checker_are_listed(tmp_path: Path) -> None:
    xml = XML.replace("<test-count>0</test-count><tests/>", "<test-count>1</test-count><tests><test/></tests>")
    problem = read_package(write(tmp_path, {"problem.xml": xml}))
    assert "problem.xml: checker: its own tests are not run" in problem.left_out


def test_accepted_solutions_are_references_and_no_solution_may_fail_to_compile(tmp_path: Path) -> None:
    xml = XML.replace('tag="time-limit-exceeded"', 'tag="accepted"').replace(
        'solutions/old.dpr" type="delphi"', 'solutions/slow.py" type="python.3"'
    )
    main, accepted, rejected = read_package(write(tmp_path, {"problem.xml": xml})).submissions
    assert [main.is_reference, accepted.is_reference, rejected.is_reference] == [True, True, False]
    assert Verdict.COMPILE_ERROR not in rejected.permitted | rejected.required


def test_a_link_that_leaves_the_package_is_an_error(tmp_path: Path) -> None:
    package = write(tmp_path / "double", {})
    (tmp_path / "secret.txt").write_text("1\n")
    (package / "tests" / "01").unlink()
    (package / "tests" / "01").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(Unsupported, match="tests/01: is not a file of the package"):
        read_package(package)


def test_every_accepted_solution_is_right_and_the_main_one_is_the_first(tmp_path: Path) -> None:
    xml = XML.replace(
        "<solutions>",
        """<solutions>
      <solution tag="accepted"><source path="solutions/other.py" type="python.3"/></solution>
      <solution tag="time-limit-exceeded-or-accepted"><source path="solutions/edge.py" type="python.3"/></solution>""",
    )
    files = {"problem.xml": xml, "solutions/other.py": "# other", "solutions/edge.py": "# edge"}
    request = build_request(read_package(write(tmp_path, files)), mutants=0, seed=0)
    assert [each["name"] for each in request["right"]] == ["solutions/main.cpp", "solutions/other.py"]
    assert [each["name"] for each in request["wrong"]] == ["solutions/slow.py"]
    mutated = build_request(read_package(tmp_path), mutants=5, seed=3)
    assert [each["name"] for each in mutated["right"]] == ["solutions/main.cpp", "solutions/other.py"]
    assert mutated["mutants"] == {"count": 5, "seed": 3}


def test_an_interactor_without_a_checker(tmp_path: Path) -> None:
    start, end = XML.index("<checker"), XML.index("</checker>") + len("</checker>")
    problem = read_package(write(tmp_path, {"problem.xml": XML[:start] + INTERACTOR + XML[end:]}))
    assert isinstance(problem.checker, InteractiveChecker)


def test_a_program_for_testlib_begins_with_the_precompiled_header(tmp_path: Path) -> None:
    code = '// checker\n#include "testlib.h"\n'
    problem = read_package(write(tmp_path, {"files/check.cpp": code}))
    assert isinstance(problem.checker, ProgramChecker)
    assert problem.checker.code == f"#include <bits/stdc++.h>\n#line 1\n{code}"


def test_a_zip_file(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "double"), "zip", write(tmp_path / "folder", {}))
    (problem,) = read_problems(Path(archive))
    assert isinstance(problem, Problem)
    assert problem.name == "double"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (('input-file=""', 'input-file="in.txt"'), "problem.xml: judging: input-file"),
        (('run-count="1"', 'run-count="2"'), "problem.xml: judging: run-count"),
        (('run-count="1"', 'run-count="x"'), "problem.xml: judging: run-count"),
        (("<test-count>2<", "<test-count>3<"), "problem.xml: testset: test-count"),
        (("tests/%02d<", "tests/%03d<"), "tests/001"),
        (("tests/%02d.a<", "answers/%02d<"), "answers/01"),
        (('sample="true"', 'points="5"'), "problem.xml: testset: tests"),
        (("<assets>", f"<assets>{INTERACTOR}"), "problem.xml: checker"),
        (('files/check.cpp" type="cpp.g++17"', 'files/check.cpp" type="delphi"'), "files/check.cpp"),
        (("files/val.cpp", "../outside.cpp"), "../outside.cpp"),
        (("<problem ", "<contest "), "problem.xml"),
        (('standalone="no"?>', 'standalone="no"?><!DOCTYPE problem [<!ENTITY a "b">]>'), "problem.xml"),
        (("<time-limit>1500", "<time-limit>fast"), "problem.xml: testset: time-limit"),
    ],
)
def test_what_cannot_be_expressed_names_its_file(tmp_path: Path, change: tuple[str, str], where: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read_package(write(tmp_path, {"problem.xml": XML.replace(*change)}))
    assert caught.value.where == where
