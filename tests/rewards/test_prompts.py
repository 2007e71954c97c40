"""What is the prompt's, and what the model's: no program of the prompt earns a reward."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rewards.function import reward_request
from sandbox.rewards.prompts import Prompt, response_of_unknown
from sandbox.rewards.request import verify_requests

TESTS = [{"input": "", "output": "42"}]
OWN = "```python\nprint(6 * 7)\n```"
ITS = "```python\nprint(42)\n```"
PROMPT = f"Say why this prints the answer, then write another program that does:\n{ITS}\nUse no number of two digits."
LONG = PROMPT + " Explain what you do in whole sentences, so that a reader who has never seen the program can follow."


def judged(text: Any, prompt: Any, /, **extract: Any) -> tuple[str | None, str]:
    """The program of a completion that is judged, if there is one, and the message of its detail."""
    plan = verify_requests(reward_request([text], [TESTS], {"extract": extract}, prompts=[prompt]))
    return plan.programs[0].code if plan.programs else None, plan.candidates[0].message


def chatml(prompt: str, response: str) -> str:
    return f"<|im_start|>system\nAnswer in {ITS}.<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n" + (
        f"<|im_start|>assistant\n{response}<|im_end|>"
    )


SEQUENCES: dict[str, Callable[[str, str], str]] = {
    "as it is": lambda prompt, response: prompt + response,
    "padded": lambda prompt, response: "<|endoftext|>" * 9 + prompt + response + "<|endoftext|>",
    "padded by words": lambda prompt, response: "[PAD] [PAD] [CLS] " + prompt + " " + response,
    "with a beginning": lambda prompt, response: f"<s> {prompt} {response}</s>",
    "with other blanks": lambda prompt, response: "\n " + prompt.replace("\n", "\r\n").replace(" ", "  ") + response,
    "without line ends": lambda prompt, response: " ".join(prompt.split()) + "\n" + response,
    "cut": lambda prompt, response: prompt[9:] + response,
    "cut in a character": lambda prompt, response: "\ufffd" + prompt[20:] + response,
    "in ChatML": chatml,
    "in Llama's": lambda prompt, response: (
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{response}<|eot_id|>"
    ),
    "in Mistral's": lambda prompt, response: f"<s>[INST] {prompt} [/INST] {response}</s>",
    "in Gemma's": lambda prompt, response: (
        f"<bos><start_of_turn>user\n{prompt}<end_of_turn>\n<start_of_turn>model\n{response}<end_of_turn>"
    ),
    "in DeepSeek's": lambda prompt, response: (
        f"<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>{prompt}<\uff5cAssistant\uff5c><think>\n{ITS}\n</think>\n{response}"
    ),
    "without its special tokens": lambda prompt, response: f"user\n{prompt}\nassistant\n{response}",
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_of_a_whole_sequence_only_the_response_counts(sequence: Callable[[str, str], str]) -> None:
    assert judged(sequence(LONG, "I do not know."), LONG, prompt="included")[0] is None
    assert judged(sequence(LONG, f"So:\n{OWN}"), LONG, prompt="included") == ("print(6 * 7)", "")
    assert judged(sequence(LONG, f"So:\n{ITS}"), LONG, prompt="included")[0] is None
    copied = judged(sequence(LONG, f"So:\n{ITS}"), LONG, prompt="included", prompt_code="allow")
    assert copied == ("print(42)", "")


def test_a_prompt_with_special_tokens_is_found_where_these_were_skipped() -> None:
    prompt = chatml(PROMPT, "").removesuffix("<|im_end|>")
    skipped = prompt.replace("<|im_start|>", "").replace("<|im_end|>", "")
    assert judged(skipped + OWN, prompt, prompt="included")[0] == "print(6 * 7)"
    assert judged(skipped, prompt, prompt="included")[0] is None


@pytest.mark.parametrize("prompt", [None, "Another prompt: " + ITS])
def test_where_the_prompt_is_not_known_the_assistants_turn_decides_or_nothing(prompt: str | None) -> None:
    for text in (PROMPT, PROMPT + OWN, OWN):
        code, message = judged(text, prompt, prompt="included")
        assert code is None
        assert "cannot tell" in message
    assert judged(chatml(PROMPT, OWN), prompt, prompt="included")[0] == "print(6 * 7)"
    assert judged(chatml(PROMPT, "No."), prompt, prompt="included")[0] is None
    assert "cannot tell" in judged(chatml("Q", ITS) + "\n<|im_start|>user\nR", prompt, prompt="included")[1]


def test_a_prompt_without_code_need_not_be_found() -> None:
    assert judged(OWN, "Print the answer.", prompt="included")[0] == "print(6 * 7)"
    assert judged(OWN, "", prompt="included")[0] == "print(6 * 7)"


def test_a_response_has_no_code_of_its_prompt_either() -> None:
    for text in (f"{PROMPT}\nNo.", f"<pad>{PROMPT}\nNo.", chatml(PROMPT, "No."), f"It was:\n{ITS}", f"> {ITS}"):
        code, message = judged(text, PROMPT)
        assert code is None
        assert "the prompt's" in message
    assert judged(f"{PROMPT}\n{OWN}", PROMPT)[0] == "print(6 * 7)"
    assert judged(f"{OWN}\nYours was:\n{ITS}", PROMPT)[0] == "print(6 * 7)"


@pytest.mark.parametrize("name", [name for name in SEQUENCES if name.startswith(("in ", "padded", "with a b"))])
def test_a_completion_that_begins_as_a_whole_sequence_is_one(name: str) -> None:
    code, message = judged(SEQUENCES[name](PROMPT, "I do not know."), None)
    assert code is None
    assert message
    found = judged(SEQUENCES[name](PROMPT, OWN), None)[0]
    assert found == ("print(6 * 7)" if name.startswith("in ") else None)
    assert judged(SEQUENCES[name](PROMPT, OWN), PROMPT)[0] == "print(6 * 7)"
    assert judged(SEQUENCES[name](PROMPT, "No."), PROMPT)[0] is None


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>assistant\n" + OWN + "<|im_end|>",
        "<think>\nThey wrote <|im_start|>user.\n</think>\n" + OWN,
        "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>\n" + OWN,
        "[1] is the list.\n" + OWN,
        "<answer>" + OWN + "</answer><|endoftext|><|endoftext|>",
    ],
)
def test_other_completions_are_responses(text: str) -> None:
    assert judged(text, None)[0] == "print(6 * 7)"


def test_of_messages_only_those_of_others_are_the_prompts() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": f"Better than this?\n{ITS}"}]},
        {"role": "assistant", "content": OWN},
        {"role": "user", "content": "Are you sure?"},
    ]
    answer = [{"role": "assistant", "content": f"Yes:\n{OWN}"}]
    assert judged(answer, messages)[0] == "print(6 * 7)"
    assert judged([{"role": "assistant", "content": ITS}], messages)[0] is None
    sequence = f"<|user|>Better than this?\n{ITS}<|assistant|>{OWN}<|user|>Are you sure?<|assistant|>"
    assert judged(sequence + "No.", messages, prompt="included")[0] is None
    assert judged(sequence + OWN, messages, prompt="included")[0] == "print(6 * 7)"


@pytest.mark.parametrize(
    ("prompt", "completion", "code"),
    [
        ("Go on:\n```python\n", "print(6 * 7)\n```", "print(6 * 7)"),
        ("Go on:\n```python\n", "print(6 * 7)", "print(6 * 7)"),
        ("Go on: ```python", "print(6 * 7)\n```\nIt prints:\n```\n42\n```", "print(6 * 7)"),
        ("Go on:\n```python\nn = 6\n", "print(n * 7)\n```", "n = 6\nprint(n * 7)"),
        ("Go on:\n```python\nn = ", "6\nprint(n * 7)```", "n = 6\nprint(n * 7)"),
        ("Go on:\n```python\n", "```python\nprint(6 * 7)\n```", "print(6 * 7)"),
        ("Begin with ```python", "So:\n```\nprint(6 * 7)\n```", "print(6 * 7)"),
        ("Go on:\n```python\nprint(42)\n", "```", None),
        ("```python\nprint(42)<|im_end|>\n<|im_start|>assistant\n", "No.", None),
    ],
)
def test_a_prompt_that_ends_inside_a_fence_is_continued(prompt: str, completion: str, code: str | None) -> None:
    assert judged(completion, prompt)[0] == code
    assert judged(prompt + completion, prompt, prompt="included")[0] == code


def test_a_prefilled_message_of_the_assistant_is_continued() -> None:
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "```python\n"}]
    assert judged("print(6 * 7)\n```", messages)[0] == "print(6 * 7)"


@given(st.text(max_size=80), st.text(max_size=80), st.booleans())
def test_no_text_is_too_odd(prompt: str, text: str, joined: bool) -> None:
    response = Prompt.of(prompt).response_in(prompt + text if joined else text)
    assert response is None or response in prompt + text


@pytest.mark.parametrize(
    "text",
    ["<|im_start|>assistant" * 2**15, "<|a" * 2**18, "[/INST]" * 2**17, "a " * 2**19, "```\n" * 2**18, "<s>" * 2**18],
    ids=range(6),
)
def test_a_megabyte_of_nonsense_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    prompt = Prompt.of(text)
    prompt.response_in(f"x{text}")
    Prompt.of(PROMPT).response_in(text)
    Prompt.of(PROMPT).without_copy(text)
    prompt.continued(text)
    response_of_unknown(text)
    assert time.process_time() - began < 10.0
