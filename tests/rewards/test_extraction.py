"""Code is extracted from completions: fences, thinking, messages and languages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rewards.extraction import Extraction, extract, get_completion_text, parses, tag_language


def extract_code(completion: str, language: str = "python", **options: object) -> str | None:
    answer = extract(completion, language, Extraction(**options))  # type: ignore[arg-type]
    return None if answer is None else answer.code


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
@pytest.mark.parametrize("tag", ["", "python", "py", "python3", "Python", "{.python}", "python title=main.py", " py"])
def test_a_fenced_block_is_found_whatever_its_fence_and_tag(fence: str, tag: str) -> None:
    assert extract_code(f"So:\n\n{fence}{tag}\nprint(1)\nprint(2)\n{fence}\n\nBye.") == "print(1)\nprint(2)"


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        *[(tag, "cpp") for tag in ("cpp", "c++", "C++", "c++14", "g++")],
        *[(tag, "cpp17") for tag in ("c++17", "cpp17", "C++17")],
        *[(tag, "cpp20") for tag in ("c++20", "cpp20")],
    ],
)
def test_every_way_to_tag_cpp_names_its_standard_where_that_is_served(tag: str, language: str) -> None:
    answer = extract(f"```{tag}\nint main(){{}}\n```")
    assert answer is not None
    assert (answer.language, answer.code) == (language, "int main(){}")


@pytest.mark.parametrize("wanted", ["cpp", "cpp17", "c++20"])
@pytest.mark.parametrize("tag", ["cpp", "c++17", "cpp20", "c++11"])
def test_the_standard_in_a_tag_does_not_keep_code_from_being_the_answer(wanted: str, tag: str) -> None:
    answer = extract(f"```{tag}\nint main(){{}}\n```", wanted)
    assert answer is not None
    assert answer.language == tag_language(wanted)
    assert extract(f"```{tag}\nint main(){{}}\n```", "c") is None


BLOCKS = "```python\none = 1\n```\ntext\n```python\ntwo = 'longer'\n```\n```py\nlast\n```"


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("last", "last"),
        ("first", "one = 1"),
        ("longest", "two = 'longer'"),
        ("all", "one = 1\ntwo = 'longer'\nlast"),
    ],
)
def test_the_block_asked_for_counts(which: str, code: str) -> None:
    assert extract_code(BLOCKS, which=which) == code


def test_the_last_block_may_lack_its_end_and_is_told_to() -> None:
    answer = extract("```python\nprint(1)", "python")
    assert answer is not None
    assert (answer.code, answer.closed) == ("print(1)", False)


def test_a_draft_that_was_never_closed_does_not_swallow_the_answer() -> None:
    assert extract_code("```python\ndraft\n\nNo, better:\n```python\nfinal\n```\n") == "final"


def test_an_indented_block_loses_its_indentation() -> None:
    assert extract_code("1. So:\n   ```python\n   if x:\n       y()\n   ```\n") == "if x:\n    y()"


def test_a_fence_inside_a_docstring_is_code() -> None:
    code = 'def f():\n    """\n    ```python\n    f()\n    ```\n    """\n    return 1'
    assert extract_code(f"```python\n{code}\n```") == code


def test_a_longer_fence_holds_shorter_ones() -> None:
    assert extract_code('````python\ns = """\n```\n"""\n````') == 's = """\n```\n"""'


@pytest.mark.parametrize("outer", ["```", "````"])
def test_an_answer_inside_a_markdown_block_is_found(outer: str) -> None:
    assert extract_code(f"{outer}markdown\n# Answer\n```python\nprint(1)\n```\n{outer}\nThat was it.") == "print(1)"


def test_blocks_in_other_languages_and_sample_output_do_not_count() -> None:
    text = "```bash\npip install x\n```\n```python\nprint(5)\n```\nOutput:\n```\n5\n```\n```text\n5\n```"
    assert extract_code(text) == "print(5)"
    assert extract_code("```cpp\nint main(){}\n```") is None


def test_untagged_blocks_count_where_none_is_tagged() -> None:
    assert extract_code("```\nprint(1)\n```") == "print(1)"


def test_without_a_language_the_fence_tells_it() -> None:
    answer = extract("```json\n{}\n```\n```cpp\nint main(){}\n```")
    assert answer is not None
    assert answer.language == "cpp"


def test_empty_blocks_and_code_within_a_line_are_no_answer() -> None:
    assert extract_code("```python\n\n```") is None
    assert extract_code("```print(1)```") is None


@pytest.mark.parametrize(
    "text",
    [
        "<think>\n```python\ndraft\n```\n</think>\n```python\nfinal\n```",
        "```python\ndraft never closed\n</think>\n```python\nfinal\n```",  # the prompt opened the thinking
        "Well. </think>```python\nfinal\n```",
        "First.\n<think>\n```python\ndraft\n```\n</think>\n```python\nfinal\n```",
    ],
)
def test_code_in_thoughts_is_no_answer(text: str) -> None:
    assert extract_code(text) == "final"


@pytest.mark.parametrize(
    "text",
    ["<think>\n```python\ndraft\n```\n", "```python\nfirst\n```\n<think>\nOr was it"],
)
def test_a_completion_that_ends_in_thought_has_no_answer(text: str) -> None:
    assert extract_code(text) is None


def test_where_the_prompt_opens_the_thought_it_has_to_be_closed() -> None:
    assert extract_code("```python\ndraft\n```", thinking_open=True) is None
    assert extract_code("```python\ndraft\n```\n</think>```python\nfinal\n```", thinking_open=True) == "final"


def test_code_may_print_the_tags() -> None:
    code = 'print("<think>")\nprint("</think>")'
    assert extract_code(f"```python\n{code}\n```") == code
    assert extract_code(f"<think>x</think>\n```python\n<think>{code}\n```") == f"<think>{code}"


def test_another_tag_or_none_can_be_named() -> None:
    text = "<reasoning>\n```python\na\n```\n</reasoning>\n```python\nb\n```"
    assert extract_code(text, thinking_tag="reasoning", which="first") == "b"
    assert extract_code(text, thinking_tag="", which="first") == "a"


def test_text_without_a_fence_is_no_answer_unless_asked_for_and_parsing() -> None:
    assert extract_code("print(1)") is None
    assert extract_code("print(1)\n", bare="raw") == "print(1)"
    assert extract_code("The answer is 1.", bare="raw") is None
    assert extract_code("int main(){}", "cpp", bare="raw") == "int main(){}"


def test_of_chat_messages_the_last_by_the_assistant_counts() -> None:
    messages: list[dict[str, object]] = [
        {"role": "assistant", "content": "```python\nfirst\n```"},
        {"role": "tool", "content": "```python\ntool\n```"},
        {"role": "assistant", "content": [{"type": "text", "text": "```python\nsecond\n```"}]},
        {"role": "assistant", "content": None},
    ]
    answer = extract(messages, "python")
    assert answer is not None
    assert answer.code == "second"
    assert get_completion_text([]) == ""


def test_windows_line_ends_and_odd_separators_survive() -> None:
    assert extract_code("```python\r\nprint(1)\r\n```\r\n") == "print(1)\r"
    assert extract_code("```python\ns = '\x0c\u2028'\n```") == "s = '\x0c\u2028'"


@pytest.mark.parametrize(
    ("tag", "language"),
    [("", ""), ("Python 3", "python"), ("js", "javascript"), ("fortran", "fortran"), ("{}", ""), ("c", "c")],
)
def test_tags_name_languages(tag: str, language: str) -> None:
    assert tag_language(tag) == language


@pytest.mark.parametrize("source", ["def (", "x = '\0'", "(" * 10_000, "-" * 200_000 + "1"])
def test_what_does_not_parse_is_said_not_to(source: str) -> None:
    assert not parses(source)


def test_a_dubious_escape_sequence_parses() -> None:
    assert parses(r"print('\d')")


@given(st.text(alphabet=st.sampled_from("`~ \n\tpy<>/thinkx"), max_size=300), st.sampled_from(["", "python", "cpp"]))
def test_no_text_is_too_odd(text: str, language: str) -> None:
    answer = extract(text, language, Extraction(bare="raw"))
    assert answer is None or answer.code.strip()


@given(st.text(alphabet=st.characters(exclude_characters="`~", exclude_categories=["Cs"]), max_size=200))
def test_whatever_is_fenced_comes_out_as_it_was(code: str) -> None:
    found = extract_code(f"```python\n{code}\n```", thinking_tag="")
    assert found == (code if any(line.strip() for line in code.split("\n")) else None)


@pytest.mark.parametrize(
    "text",
    [
        "`" * 2**20,
        "```\n" * 2**18,
        "```py\n" * 2**17,
        "<think>" * 2**17,
        "</think>" * 2**17,
        " " * 2**20,
        "```markdown\n" * 2**16,
        "~~~~\n```py\n" * 2**16,
        ("`" * 1023 + "\n") * 2**10,
        "<think>\n</think>\n" * 2**16,
    ],
    ids=range(10),
)
def test_a_megabyte_of_nonsense_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    extract(text, "python", Extraction(bare="raw"))
    assert time.process_time() - began < 5.0
