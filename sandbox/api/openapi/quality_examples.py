"""Examples of the models of `POST /verify/quality`."""

from __future__ import annotations

from typing import Any

_PROGRAM = {"code": "print(max(map(int, input().split())))", "name": "maximum"}
_OPTIONS = {"count": 20, "seed": 7, "operators": ["boundary", "constant"]}
_MUTATION = {"operator": "boundary", "line": 3, "before": "a < b", "after": "a <= b"}
_ROWS = [
    {"name": "right 0", "kind": "right", "fate": "passed", "killed_by": []},
    {"name": "wrong 0", "kind": "wrong", "fate": "failed", "killed_by": [1]},
]
_TESTS = [
    {"kills": 0, "kills_alone": [], "fails_right": [], "cpu_time_s": 0.004, "in_smallest_suite": False},
    {"kills": 1, "kills_alone": [1], "fails_right": [], "cpu_time_s": 0.004, "in_smallest_suite": True},
]
_COVERAGE = [{"tests": 1, "coverage": 0.5}, {"tests": 2, "coverage": 1.0}]
_SUITE = {"tests": [1], "cpu_time_s": 0.004, "all_cpu_time_s": 0.008, "exact": True}

_ROW = {"program": 1, "name": "wrong 0", "kind": "wrong", "verdicts": ["accepted", "wrong_answer"]}
_PROGRESS = {"phase": "tests", "done": 1, "total": 2, "rows": [_ROW]}

QUALITY_EXAMPLES: dict[str, Any] = {
    "CoveragePoint": _COVERAGE[0],
    "MutantOptions": _OPTIONS,
    "Mutation": _MUTATION,
    "ProgramGrowth": {
        "exponent": 2.0,
        "low": 1.9,
        "high": 2.1,
        "name": "quadratic",
        "is_lower_bound": False,
        "above_right": True,
    },
    "QualityLine": {"progress": _PROGRESS},
    "QualityProgram": _PROGRAM,
    "QualityProgramResult": _ROWS[1],
    "QualityProgress": _PROGRESS,
    "QualityRequest": {
        "tests": [{"stdin": "1 2\n", "expected": "2\n"}, {"stdin": "2 1\n", "expected": "2\n"}],
        "right": ["print(max(map(int, input().split())))"],
        "wrong": ["print(input().split()[1])"],
    },
    "QualityResult": {
        "tpr": 1.0,
        "tnr": 1.0,
        "consistency": 1.0,
        "verifier_accuracy": True,
        "mutation_score": None,
        "coverage": _COVERAGE,
        "smallest_suite": _SUITE,
        "kill_nothing": [0],
        "fail_right": [],
        "survivors": [],
        "equivalent_candidates": [],
        "unjudged": [],
        "not_compiled": [],
        "programs": _ROWS,
        "tests": _TESTS,
        "matrix": [["accepted", "accepted"], ["accepted", "wrong_answer"]],
    },
    "QualityRow": _ROW,
    "QualityTest": _TESTS[1],
    "TaskQuality": {"tpr": 1.0, "tnr": 1.0, "smallest_suite": [1], "cpu_time_s": 0.004, "all_cpu_time_s": 0.008},
    "TimeLimitAdvice": {
        "cpu_time_s": 1.2,
        "too_slow_s": 1.8,
        "slowest_s": 0.6,
        "program": 0,
        "test": 7,
        "is_largest_test": True,
    },
    "TimeMultipliers": {"ac_to_time_limit": 2.0, "time_limit_to_tle": 1.5},
    "SmallestSuite": _SUITE,
}
