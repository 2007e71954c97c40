"""The imports that graders put before a program, and where they are inserted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import languages
from sandbox.rewards.preamble import build_humaneval_preamble, build_livecodebench_preamble, join_parts
from sandbox.runner.contract import Mode


@pytest.fixture(autouse=True)
def recursion_limit() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


def _run_and_get_names(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "main.py", "exec", dont_inherit=True), names)
    return names


def test_livecodebench_programs_have_what_their_grader_imports_and_its_recursion_limit() -> None:
    program = """
q = deque([inf, sqrt(16), comb(5, 2)])
counts = Counter("hello")
@cache
def f(xs: List[int], where: Optional[Dict[str, int]] = None) -> int:
    return bisect.bisect_left(xs, 3) + reduce(xor, xs) + pow(2, 5, 7)
"""
    names = _run_and_get_names(join_parts(build_livecodebench_preamble(12_345), program))
    assert names["counts"]["l"] == 2
    assert names["pow"] is pow
    assert sys.getrecursionlimit() == 12_345


def test_humaneval_programs_have_modules_and_numpy_where_they_name_it() -> None:
    assert "numpy" not in build_humaneval_preamble("x = 1", "snp = 2")
    assert "import numpy as np\n" in build_humaneval_preamble("x = 1", "np.allclose(x, 1)")
    program = "x: List[int] = [hashlib.md5(b'').digest_size, math.floor(1.5)]\n"
    names = _run_and_get_names(join_parts(build_humaneval_preamble(program), program))
    assert names["x"] == [16, 1]


@pytest.mark.parametrize("preamble", [build_livecodebench_preamble(), build_humaneval_preamble("")])
def test_a_preamble_is_one_line_so_that_tracebacks_are_off_by_one(preamble: str) -> None:
    assert preamble.count("\n") == 1


@pytest.mark.parametrize("preamble", [build_livecodebench_preamble(), build_humaneval_preamble("")])
def test_a_preamble_does_not_change_how_a_program_is_started(preamble: str) -> None:
    assert languages.get_language("python").build_program(f"{preamble}print(input())").mode is Mode.FORK_PLAIN


@pytest.mark.parametrize(
    "program",
    [
        "from __future__ import annotations\nx: 'no' = 1\n",
        '"""About it."""\n# and more\n\nfrom __future__ import (\n    annotations,  # why\n    division,\n)\nx = 1\n',
        "from __future__ import annotations; from __future__ import division; x = 1\n",
        "from __future__ import \\\n    annotations\nx = 1",
        "#!/usr/bin/python3\n# -*- coding: utf-8 -*-\nfrom __future__ import annotations\r\nx = 1\r\n",
        "x = 1\ns = '''\nfrom __future__ import annotations\n'''\n",
        "x = 1\n",
    ],
)
def test_a_preamble_comes_behind_the_future_imports_of_its_program(program: str) -> None:
    names = _run_and_get_names(join_parts("before = 1\n", program))
    assert (names["before"], names["x"]) == (1, 1)


def test_future_imports_of_every_part_are_at_the_top_once() -> None:
    prompt = '"""Task."""\nfrom __future__ import annotations\ndef f(x):\n'
    answer = "from __future__ import annotations\nfrom __future__ import generator_stop\ndef f(x: Later): return x\n"
    source = join_parts("before = 1\n", prompt, "    pass\n", answer)
    assert source.count("import annotations") == 1
    assert _run_and_get_names(source)["f"](3) == 3


def test_a_part_that_is_no_python_is_left_alone() -> None:
    for broken in ("from __future__ import annotations\ndef f(:\n", "  __future__ '''", "from __future__\n"):
        assert join_parts("", broken).endswith(broken.partition("\n")[2])
