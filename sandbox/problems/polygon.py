"""Import full packages of Codeforces Polygon: `problem.xml` with the files that it names.

A package has one or more test sets with limits and paths of tests, a checker, optionally an interactor, validators and
solutions with tags. Checkers, interactors and validators are C++ programs written for testlib. The images contain an
implementation of its interface. Generated tests must be in the package, as in the package for Linux, so generators are
not read.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, XMLParser

from sandbox.problems.limits import build_limits
from sandbox.problems.package_files import read_file, read_text
from sandbox.problems.problem import (
    CRASHES,
    FAILURES,
    OUTCOMES,
    InputValidator,
    Problem,
    ProblemTest,
    Program,
    Submission,
)
from sandbox.problems.problem import Protocol as ValidatorProtocol
from sandbox.problems.testlib import use_precompiled_header
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase
from sandbox.schema.checkers import Checker, InteractiveChecker, ProgramChecker

FILE = "problem.xml"
MAX_XML_BYTES = 16 << 20
_ACCEPTED, _WRONG = frozenset({Verdict.ACCEPTED}), frozenset({Verdict.WRONG_ANSWER})
_SLOW, _MEMORY = frozenset({Verdict.TIME_LIMIT_EXCEEDED}), frozenset({Verdict.MEMORY_LIMIT_EXCEEDED})
_TAGS = {
    "main": (_ACCEPTED, _ACCEPTED),
    "accepted": (_ACCEPTED, _ACCEPTED),
    "rejected": (OUTCOMES, FAILURES),
    "wrong-answer": (OUTCOMES, _WRONG),
    "presentation-error": (OUTCOMES, _WRONG),
    "time-limit-exceeded": (OUTCOMES, _SLOW),
    "time-limit-exceeded-or-accepted": (_ACCEPTED | _SLOW, _ACCEPTED | _SLOW),
    "time-limit-exceeded-or-memory-limit-exceeded": (OUTCOMES, _SLOW | _MEMORY),
    "memory-limit-exceeded": (OUTCOMES, _MEMORY),
    "failed": (OUTCOMES, CRASHES),
}
_STATEMENT_SUFFIXES = frozenset({".tex", ".md"})
# Polygon names a language by its compiler, such as cpp.g++17 or python.3.
_LANGUAGES = (
    ("cpp.g++11", "cpp17"),
    ("cpp.g++14", "cpp17"),
    ("cpp.g++17", "cpp17"),
    ("cpp", "cpp20"),
    ("c.gcc", "c"),
    ("python.pypy3", "pypy"),
    ("python.3", "python"),
    ("java", "java"),
    ("kotlin", "kotlin"),
    ("pas", "pascal"),
    ("csharp", "csharp"),
    ("go", "go"),
    ("rust", "rust"),
)


def read_package(package: Path) -> Problem:
    """Read the package in a folder. Raises Unsupported."""
    root = _parse(package)
    judging = _find(root, "judging", FILE)
    for name in ("input-file", "output-file"):
        if judging.get(name):
            raise Unsupported(f"{FILE}: judging: {name}", "programs that read or write files are not supported here")
    if (judging.get("run-count") or "1") != "1":
        raise Unsupported(f"{FILE}: judging: run-count", "problems with several runs cannot be expressed")
    testsets = judging.findall("testset")
    if not testsets:
        raise Unsupported(f"{FILE}: judging: testset", "is missing")
    testset = next((each for each in testsets if each.get("name") == "tests"), testsets[0])
    left_out = [
        f"{FILE}: testset {each.get('name')}: only one test set is imported" for each in testsets if each is not testset
    ]
    left_out += _list_left_out(root)
    statement, other_statements = _read_statement(package, root)
    interactor = root.find("assets/interactor")
    title = next(
        (name.get("value") or "" for name in root.findall("names/name") if name.get("language") == "english"), ""
    )
    submissions, unread = _read_solutions(package, root)
    time_ms, memory_bytes = _read_int(testset, "time-limit"), _read_int(testset, "memory-limit")
    with name_the_place(FILE):
        return Problem(
            name=root.get("short-name") or package.resolve().name,
            title=title,
            format="polygon",
            statement=statement,
            tests=tuple(_read_tests(package, testset, needs_answers=interactor is None)),
            checker=_build_checker(package, root, interactor),
            limits=build_limits(time_ms / 1000, memory_bytes / 2**20, where=f"{FILE}: testset"),
            submissions=tuple(submissions),
            input_validators=tuple(_read_validators(package, root)),
            left_out=(*other_statements, *left_out, *unread),
        )


def _parse(package: Path) -> Element:
    try:
        data = read_file(package, FILE)
        if len(data) > MAX_XML_BYTES or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise Unsupported(FILE, "is too large, or defines entities")
        parser = XMLParser()
        parser.feed(data)
        root: Element = parser.close()
    except ParseError as error:
        raise Unsupported(FILE, f"cannot be read: {error}") from None
    if root.tag != "problem":
        raise Unsupported(FILE, f"must contain <problem>, not <{root.tag}>")
    return root


def _find(element: Element, path: str, where: str) -> Element:
    found = element.find(path)
    if found is None:
        raise Unsupported(f"{where}: {path}", "is missing")
    return found


def _read_int(testset: Element, name: str) -> int:
    text = _find(testset, name, f"{FILE}: testset").text or ""
    if not text.strip().isdecimal():
        raise Unsupported(f"{FILE}: testset: {name}", f"{text!r} is not a number")
    return int(text)


def _read_tests(package: Path, testset: Element, *, needs_answers: bool) -> list[ProblemTest]:
    inputs, answers = (
        _find(testset, name, f"{FILE}: testset").text or "" for name in ("input-path-pattern", "answer-path-pattern")
    )
    entries = testset.findall("tests/test")
    count = _read_int(testset, "test-count")
    if len(entries) != count:
        raise Unsupported(f"{FILE}: testset: test-count", f"is {count}, but there are {len(entries)} tests")
    if any(entry.get("points") for entry in entries) or testset.find("groups") is not None:
        raise Unsupported(f"{FILE}: testset: tests", "points and groups cannot be expressed")
    return [
        _read_test(package, _fill(inputs, number), _fill(answers, number), entry, needs_answers=needs_answers)
        for number, entry in enumerate(entries, start=1)
    ]


def _fill(pattern: str, number: int) -> str:
    try:
        return pattern % number
    except (TypeError, ValueError):
        raise Unsupported(f"{FILE}: testset", f"{pattern!r} is not a pattern such as tests/%02d") from None


def _read_test(package: Path, given: str, answer: str, entry: Element, *, needs_answers: bool) -> ProblemTest:
    if not (package / given).is_file():
        how = f"made by `{entry.get('cmd')}`" if entry.get("method") == "generated" else "a manual test"
        raise Unsupported(given, f"is missing ({how}); export the package for Linux, which contains all tests")
    if needs_answers and not (package / answer).is_file():
        raise Unsupported(answer, "is missing; export the package for Linux, which contains all answers")
    fields: dict[str, str | bytes] = {}
    for name, path in (("stdin", given), ("expected", answer)):
        data = read_file(package, path) if (package / path).is_file() else b""
        try:
            fields[name] = data.decode()
        except UnicodeDecodeError:
            fields[f"{name}_base64"] = data
    with name_the_place(given):
        case = TestCase.model_validate(fields)
    return ProblemTest(name=given, is_sample=entry.get("sample") == "true", test=case)


def _read_program(package: Path, source: Element, where: str) -> Program:
    path, kind = source.get("path") or "", source.get("type") or ""
    language = next((name for prefix, name in _LANGUAGES if kind.startswith(prefix)), "")
    if not language:
        raise Unsupported(path or where, f"the language {kind!r} is not supported")
    code = read_text(package, path)
    with name_the_place(path):
        return Program(name=path, language=language, code=use_precompiled_header(code))


def _build_checker(package: Path, root: Element, interactor: Element | None) -> Checker:
    checker = root.find("assets/checker")
    if interactor is not None:
        if checker is not None:
            raise Unsupported(f"{FILE}: checker", "a checker that judges what the interactor wrote cannot be expressed")
        program = _read_program(package, _find(interactor, "source", f"{FILE}: interactor"), f"{FILE}: interactor")
        with name_the_place(program.name):
            return InteractiveChecker(type="interactive", language=program.language, code=program.code)
    if checker is None:
        raise Unsupported(f"{FILE}: assets: checker", "is missing")
    program = _read_program(package, _find(checker, "source", f"{FILE}: checker"), f"{FILE}: checker")
    with name_the_place(program.name):
        return ProgramChecker(type="program", language=program.language, code=program.code)


def _read_validators(package: Path, root: Element) -> list[InputValidator]:
    found = []
    for validator in root.findall("assets/validators/validator"):
        program = _read_program(package, _find(validator, "source", f"{FILE}: validator"), f"{FILE}: validator")
        found.append(InputValidator(**program.model_dump(), protocol=ValidatorProtocol.TESTLIB))
    return found


def _read_statement(package: Path, root: Element) -> tuple[str, list[str]]:
    """Return the English statement, or the first one that is text, and lines about the others."""
    found = root.findall("statements/statement")
    texts = [each for each in found if Path(each.get("path") or "").suffix in _STATEMENT_SUFFIXES]
    chosen = next((each for each in texts if each.get("language") == "english"), next(iter(texts), None))
    left_out = [f"{each.get('path')}: only one statement is imported" for each in found if each is not chosen]
    if chosen is None:
        return "", left_out
    return read_file(package, chosen.get("path") or "").decode(errors="replace"), left_out


def _list_left_out(root: Element) -> list[str]:
    used = {source.get("path") for source in root.findall("assets//source")}
    names = [source.get("path") for source in root.findall("files/executables/executable/source")]
    lines = [
        f"{name}: is not run, because the package contains the generated tests" for name in names if name not in used
    ]
    for kind in ("checker", "validator"):
        if any(part.find("testset/tests/test") is not None for part in root.iter(kind)):
            lines.append(f"{FILE}: {kind}: its own tests are not run")
    return lines


def _read_solutions(package: Path, root: Element) -> tuple[list[Submission], list[str]]:
    found, left_out = list[Submission](), list[str]()
    solutions = sorted(root.findall("assets/solutions/solution"), key=lambda each: each.get("tag") != "main")
    for solution in solutions:  # the main solution comes first
        tag, source = solution.get("tag") or "", solution.find("source")
        if tag not in _TAGS or source is None:
            left_out.append(f"{FILE}: solution with the tag {tag!r}: has no known verdict")
            continue
        try:
            program = _read_program(package, source, f"{FILE}: solution")
        except Unsupported as error:
            left_out.append(str(error))
            continue
        permitted, required = _TAGS[tag]
        found.append(
            Submission(
                **program.model_dump(), permitted=permitted, required=required, is_reference=tag in {"main", "accepted"}
            )
        )
    return found, left_out
