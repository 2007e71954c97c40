"""Read the programs under `submissions/` with the verdicts that their folders and `submissions.yaml` promise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.problems.kattis.metadata import Metadata, load_mapping
from sandbox.problems.kattis.programs import SourceText, list_programs
from sandbox.problems.problem import CRASHES, OUTCOMES, Submission
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.runner.contract import Verdict

RULES_FILE = "submissions/submissions.yaml"
VERDICTS = {
    "AC": frozenset({Verdict.ACCEPTED}),
    "WA": frozenset({Verdict.WRONG_ANSWER}),
    "TLE": frozenset({Verdict.TIME_LIMIT_EXCEEDED}),
    "RTE": CRASHES,
}
_FOLDERS = {
    "accepted": (("AC",), ("AC",)),
    "rejected": (("AC", "WA", "TLE", "RTE"), ("WA", "TLE", "RTE")),
    "wrong_answer": (("AC", "WA"), ("WA",)),
    "time_limit_exceeded": (("AC", "TLE"), ("TLE",)),
    "run_time_error": (("AC", "RTE"), ("RTE",)),
    "brute_force": (("AC", "RTE", "TLE"), ("RTE", "TLE")),
}
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class _Expectation:
    permitted: frozenset[Verdict]
    required: frozenset[Verdict]


@dataclass
class Submissions:
    programs: list[Submission] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_submissions(package: Path, metadata: Metadata) -> Submissions:
    """Read all submissions. A program that this service cannot run is listed in `left_out`. Raises Unsupported."""
    found, root = Submissions(), package / "submissions"
    rules = load_mapping(package, RULES_FILE) if (package / RULES_FILE).is_file() else {}
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.is_dir() and folder.name not in _FOLDERS and folder.name not in rules:
            found.left_out.append(f"submissions/{folder.name}: a folder without a known verdict")
        elif folder.is_dir():
            for program in list_programs(folder):
                _read_submission(package, program, rules, metadata, found)
    return found


def _read_submission(
    package: Path, path: Path, rules: Mapping[str, Any], metadata: Metadata, found: Submissions
) -> None:
    try:
        source = SourceText(package, path, metadata)
    except Unsupported as error:
        found.left_out.append(str(error))
        return
    expectation, is_reference = _find_expectation(path.parent.name, rules), path.parent.name == "accepted"
    for pattern, rule in rules.items():
        if pattern != path.parent.name and _matches(pattern, f"{path.parent.name}/{path.name}"):
            expectation = _apply(expectation, rule, pattern, narrow=True)
            is_reference = is_reference or bool(rule.get("model_solution"))
    for pattern, rule in rules.items():
        if isinstance(rule, Mapping) and _matches(pattern, f"{path.parent.name}/{path.name}"):
            found.left_out += [
                f"submissions/submissions.yaml: {pattern}: {key}: is not checked"
                for key in rule
                if key not in {"permitted", "required", "model_solution", "authors"}
            ]
    with name_the_place(source.name):
        found.programs.append(
            Submission(
                name=source.name,
                language=source.language,
                code=source.code,
                permitted=expectation.permitted,
                required=expectation.required,
                is_reference=is_reference,
            )
        )


def _find_expectation(folder: str, rules: Mapping[str, Any]) -> _Expectation:
    expectation = _Expectation(OUTCOMES, OUTCOMES)
    if folder in _FOLDERS:
        permitted, required = _FOLDERS[folder]
        expectation = _Expectation(_to_verdicts(permitted, folder), _to_verdicts(required, folder))
    return _apply(expectation, rules.get(folder) or {}, folder, narrow=False)


def _apply(expectation: _Expectation, rule: Any, pattern: str, *, narrow: bool) -> _Expectation:
    where = f"submissions/submissions.yaml: {pattern}"
    if not isinstance(rule, Mapping):
        raise Unsupported(where, "must be a mapping")
    for key in ("permitted", "required"):
        if key in rule:
            verdicts = _to_verdicts(rule[key], f"{where}: {key}")
            verdicts = verdicts & getattr(expectation, key) if narrow else verdicts
            expectation = replace(expectation, **{key: verdicts})
    return expectation


def _to_verdicts(names: Any, where: str) -> frozenset[Verdict]:
    if not isinstance(names, list | tuple) or not set(names) <= VERDICTS.keys():
        raise Unsupported(where, f"must be a list of {', '.join(VERDICTS)}")
    return frozenset[Verdict]().union(*(VERDICTS[name] for name in names))


def _matches(pattern: str, path: str) -> bool:
    """Return whether a glob pattern, with braces, matches a submission or its folder."""
    brace = _BRACES.search(pattern)
    if brace:
        head, tail = pattern[: brace.start()], pattern[brace.end() :]
        return any(_matches(f"{head}{choice}{tail}", path) for choice in brace[1].split(","))
    text = "[^/]*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(text, path) is not None or re.fullmatch(text, path.partition("/")[0]) is not None
