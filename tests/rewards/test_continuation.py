"""A completion is cut where its function ends."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.rewards.continuation import (
    complete_prompt,
    continues_function,
    cut_after_function,
    cut_before_tests,
    cut_continuation,
    find_definitions,
)

PROMPT = 'def add(a, b):\n    """Sum."""\n'


def _defines_working_add(source: str) -> bool:
    names: dict[str, Any] = {}
    exec(source, names)
    return bool(names["add"](20, 22) == 42)


@pytest.mark.parametrize(
    "completion",
    [
        "    return a + b",
        "    return a + b\n\n\ndef other(x):\n    retur",
        "\n    return a + b\nprint(input())\n",
        "    return a + b\n# Test\nassert add(1, 1) == 3\n",
        "    return a + b\n```\n\nIt adds.\n",
        "    return a + b\nif __name__ == '__main__':\n    raise SystemExit\n",
        "    items = [\na,\nb,\n    ]\n    return sum(items)\nprint(",
        '    text = """\nat the left\n"""\n    return a + b\nand so on',
        "def add(a, b):\n    return a + b\n",
        "from typing import Any\n\ndef add(a: Any, b: Any) -> Any:\n    return a + b\n",
    ],
)
def test_the_rest_of_a_function_or_the_whole_of_it_completes_a_prompt(completion: str) -> None:
    assert _defines_working_add(complete_prompt(PROMPT, completion))


def test_a_rest_that_no_cut_makes_parse_ends_at_the_first_line_at_the_left() -> None:
    assert cut_continuation(PROMPT, "    return (\nnothing\nat all") == "    return (\n"


@pytest.mark.parametrize(
    ("completion", "does"),
    [
        ("    return a + b", True),
        ("\treturn a", True),
        ("    return a + b\n```\n", True),
        (" Sure, here it is:\n```python\ndef add(a, b): ...\n```", False),
        ("    Sure:\n```python\ndef add(a, b): ...\n```", False),
        ("return a + b", False),
        ("", False),
    ],
)
def test_what_talks_about_a_function_does_not_continue_it(completion: str, does: bool) -> None:
    assert continues_function(PROMPT, completion) is does


@pytest.mark.parametrize(
    "program",
    [
        "def add(a, b):\n    return a + b\n\nprint(input())\n",
        "@str\ndef other(): ...\n\ndef add(\n    a,\n    b,\n):\n    return a + b\n\nassert add(1, 1) == 3\n",
        "def add(a, b):\n    return plus(a, b)\n\ndef plus(a, b):\n    return a + b\n\nadd(input())\n",
        "def add(a, b):\n    return ONE * (a + b)\n\nONE = 1\nraise SystemExit\n",
        "def add(a, b):\n    return a + b\n\nThis adds two numbers.",
    ],
)
def test_a_program_ends_after_its_function_but_for_definitions(program: str) -> None:
    assert _defines_working_add(cut_after_function(program, "add"))


def test_a_program_without_the_function_is_left_alone() -> None:
    for name in ("add", "", "Solution.add"):
        assert cut_after_function("def sub(a, b): ...\nprint(1)\n", name) == "def sub(a, b): ...\nprint(1)\n"


def test_definitions_are_found_between_prose() -> None:
    code = "import math\nLIMIT = 7\n\ndef add(a,\n        b,\n):\n    return a + b\n"
    text = f"Here you are:\n\n{code}\nIt adds, and from here on it's prose."
    assert _defines_working_add(find_definitions(text))
    assert "prose" not in find_definitions(text)
    assert find_definitions("I do not know.\nimport this") == ""


@pytest.mark.parametrize("end", ["assert add(1, 1) == 3", '"""', "if __name__ == '__main__':\n    add(input())"])
def test_a_program_ends_before_tests_of_its_own(end: str) -> None:
    program = '"""Module."""\nassert True\ndef add(a, b):\n    return a + b\n'
    assert cut_before_tests(program + end) == program
    assert cut_before_tests("assert False") == "assert False"
