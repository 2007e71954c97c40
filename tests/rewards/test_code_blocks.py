"""Fences as models write them. `test_extraction_guide` checks the table of the guide."""

from __future__ import annotations

import time

import pytest

from sandbox.rewards.extraction import Extraction, extract, fingerprint

X = "x = [1]"


def extract_code(completion: str, language: str = "python", **options: object) -> str | None:
    answer = extract(completion, language, Extraction(**options))  # type: ignore[arg-type]
    return None if answer is None else answer.code


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{X}```<\uff5cend\u2581of\u2581sentence\uff5c>",
        f"```python\n{X}\n```</solution>\n<|eot_id|><|start_header_id|>user",
        f"```python\n{X}\n```END\nBye.",
        f"```python\n{X}\n```Done, that is it.",
        f"```python\n{X}``` The list is `x`.",
        f"```python\n{X}```\n```text\n[1]\n```",
        f"```python\ny = 2```python\n{X}\n```",
        f"```python\n{X}\n</answer></s><pad><pad>\n",
        f"````python\n{X}\n```\nBye.",
        f"**Solution**: ```py\n{X}\n```",
        f"**```python\n{X}\n```**",
        f"* + ```python\n    {X}\n    ```",
        f"12) Code: ```Python\n    {X}\n    ```",
        f">```python\n>{X}\n>```",
        f"> 1. ```python\n>    {X}\n>    ```",
        f"> ```python\n{X}\n> ```",
        f"\u200b\u2060```\ufeffpython\n{X}\n\u200b```\n",
        f"\u00a0 ```python3.11\n{X}\n\u00a0```",
        f"```language-python\n{X}\n```",
        f"```python{{1,3}}\n{X}\n```",
        f"Wrap it in ```\n\n```python\n{X}\n```",
        f"Use ``` marks.\n\n```\n{X}\n```",
        f"The fence ```python is opened so:\n```python\n{X}\n```",
        f"It is ```python {X}```, or ```text [1]```.",
    ],
)
def test_fences_are_read_as_models_write_them(text: str) -> None:
    assert extract_code(text) == X


@pytest.mark.parametrize(
    "code",
    [
        's = "```"\nprint(s)',
        "re.findall(r'```(.*?)```', text)",
        '"""\nUse ```x``` so:\n\n    ```\n"""\nprint(1)',
        "'''It ends with ```'''\nprint(1)",
        "# fence ```\nprint(1)",
        "x = ~~~5\nprint(x)",
        "print(f'{x}```')  # and ```",
    ],
)
def test_marks_that_are_part_of_the_program_do_not_end_it(code: str) -> None:
    assert extract_code(f"```python\n{code}\n```\nBye.") == code


def test_marks_in_another_languages_comments_do_not_end_it() -> None:
    code = "/// ```\n/// add(1, 2);\n/// ```\nfn main() {}"
    assert extract_code(f"```rust\n{code}\n```", "rust") == code


def test_the_first_line_decides_how_far_a_block_in_a_list_is_moved() -> None:
    assert extract_code("1. ```python\ndef f():\n  return 1\n```") == "def f():\n  return 1"
    assert extract_code("- ```python\n  def f():\n\n    return 1\n  ```") == "def f():\n\n  return 1"


@pytest.mark.parametrize(
    "rest", ["", "\n```", "\n```\n\nThat is it.", "\n```\nIt prints\n```\n1\n```", "```", "```<|im_end|>"]
)
def test_a_completion_may_begin_inside_a_fence_of_the_prompt(rest: str) -> None:
    assert extract_code(X + rest, fence_open=True) == X
    assert extract_code(X + rest, bare="raw") == X
    assert extract_code("int x[1];" + rest, "cpp", fence_open=True) == "int x[1];"


@pytest.mark.parametrize("tag", ["", "python"])
def test_a_completion_that_opens_its_own_fence_does_not_begin_inside_one(tag: str) -> None:
    assert extract_code(f"\n```{tag}\n{X}\n```", fence_open=True) == X
    assert extract_code(f"Sure\n```{tag}\n{X}", bare="raw") == X


def test_a_block_that_is_to_be_skipped_is_no_answer() -> None:
    blocks = f"```python\n{X}\n```\n```python\ny = 2\n```"
    answer = extract(blocks, "python", skipped={fingerprint(" y=2\n")})
    assert answer is not None
    assert answer.code == X
    assert extract(X, "python", Extraction(bare="raw"), skipped={fingerprint(X)}) is None


@pytest.mark.parametrize(
    "text",
    [
        "`" * 2**20 + "\n",
        "> " * 2**19 + "```py\n" + (">" * 1000 + "\n") * 2**8,
        "- " * 2**19 + "```python\n",
        "> - 1. " * 2**17 + "\n```",
        "```python\n" + 'a ```"\n' * 2**17,
        "```python\n" + "x ```a\n" * 2**16,
        "```python\n" + '"""```\n' * 2**17,
        ("```\n" + "x```python\n") * 2**15,
        "x```" * 2**18,
        "```python x" * 2**16,
        "<|a|>" * 2**17,
        "<a>" * 2**18 + "```",
        "[PAD]" * 2**17,
        "\u200b" * 2**19 + "```",
        "```" + "{" * 2**20,
        "```" + "a=" * 2**19,
        "```python\n" + "'" * 2**20 + "```",
        "> ```python\n" + "> x\n" * 2**17,
        "```python x```" * 2**16,
    ],
    ids=range(19),
)
@pytest.mark.parametrize("options", [Extraction(bare="raw"), Extraction(fence_open=True)], ids=["raw", "open"])
def test_a_megabyte_of_nonsense_is_read_in_no_time(text: str, options: Extraction) -> None:
    began = time.process_time()
    extract(text, "python", options)
    assert time.process_time() - began < 5.0
