"""The prompt is separated from the response: no program from the prompt earns a reward."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rewards.plan import build_plan
from sandbox.rewards.prompts import Prompt, find_response_without_prompt
from sandbox.trainers.function import build_reward_request

TESTS = [{"input": "", "output": "42"}]
MODEL_CODE = "```python\nprint(6 * 7)\n```"
PROMPT_CODE = "```python\nprint(42)\n```"
PROMPT = (
    f"Say why this prints the answer, then write another program that does:\n{PROMPT_CODE}\n"
    "Use no number of two digits."
)
LONG_PROMPT = (
    PROMPT + " Explain what you do in whole sentences, so that a reader who has never seen the program can follow."
)


def plan_one(text: Any, prompt: Any, /, **extract: Any) -> tuple[str | None, str]:
    """Return the program to judge in a completion, if any, and the message of its detail."""
    plan = build_plan(build_reward_request([text], [TESTS], {"extract": extract}, prompts=[prompt]), lambda names: {})
    return plan.programs[0].code if plan.programs else None, plan.completions[0].message


def format_chatml(prompt: str, response: str) -> str:
    return f"<|im_start|>system\nAnswer in {PROMPT_CODE}.<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n" + (
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
    "in ChatML": format_chatml,
    "in Llama's": lambda prompt, response: (
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{response}<|eot_id|>"
    ),
    "in Mistral's": lambda prompt, response: f"<s>[INST] {prompt} [/INST] {response}</s>",
    "in Gemma's": lambda prompt, response: (
        f"<bos><start_of_turn>user\n{prompt}<end_of_turn>\n<start_of_turn>model\n{response}<end_of_turn>"
    ),
    "in DeepSeek's": lambda prompt, response: (
        f"<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>{prompt}<\uff5cAssistant\uff5c><think>\n{PROMPT_CODE}\n</think>\n{response}"
    ),
    "without its special tokens": lambda prompt, response: f"user\n{prompt}\nassistant\n{response}",
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_of_a_whole_sequence_only_the_response_counts(sequence: Callable[[str, str], str]) -> None:
    assert plan_one(sequence(LONG_PROMPT, "I do not know."), LONG_PROMPT, prompt="included")[0] is None
    assert plan_one(sequence(LONG_PROMPT, f"So:\n{MODEL_CODE}"), LONG_PROMPT, prompt="included") == ("print(6 * 7)", "")
    assert plan_one(sequence(LONG_PROMPT, f"So:\n{PROMPT_CODE}"), LONG_PROMPT, prompt="included")[0] is None
    copied = plan_one(sequence(LONG_PROMPT, f"So:\n{PROMPT_CODE}"), LONG_PROMPT, prompt="included", prompt_code="allow")
    assert copied == ("print(42)", "")


def test_a_prompt_with_special_tokens_is_found_where_these_were_skipped() -> None:
    prompt = format_chatml(PROMPT, "").removesuffix("<|im_end|>")
    skipped = prompt.replace("<|im_start|>", "").replace("<|im_end|>", "")
    assert plan_one(skipped + MODEL_CODE, prompt, prompt="included")[0] == "print(6 * 7)"
    assert plan_one(skipped, prompt, prompt="included")[0] is None


@pytest.mark.parametrize("prompt", [None, "Another prompt: " + PROMPT_CODE])
def test_where_the_prompt_is_not_known_the_assistants_turn_decides_or_nothing(prompt: str | None) -> None:
    for text in (PROMPT, PROMPT + MODEL_CODE, MODEL_CODE):
        code, message = plan_one(text, prompt, prompt="included")
        assert code is None
        assert "cannot separate" in message
    assert plan_one(format_chatml(PROMPT, MODEL_CODE), prompt, prompt="included")[0] == "print(6 * 7)"
    assert plan_one(format_chatml(PROMPT, "No."), prompt, prompt="included")[0] is None
    assert (
        "cannot separate"
        in plan_one(format_chatml("Q", PROMPT_CODE) + "\n<|im_start|>user\nR", prompt, prompt="included")[1]
    )


def test_a_prompt_without_code_need_not_be_found() -> None:
    assert plan_one(MODEL_CODE, "Print the answer.", prompt="included")[0] == "print(6 * 7)"
    assert plan_one(MODEL_CODE, "", prompt="included")[0] == "print(6 * 7)"


def test_a_response_has_no_code_of_its_prompt_either() -> None:
    for text in (
        f"{PROMPT}\nNo.",
        f"<pad>{PROMPT}\nNo.",
        format_chatml(PROMPT, "No."),
        f"It was:\n{PROMPT_CODE}",
        f"> {PROMPT_CODE}",
    ):
        code, message = plan_one(text, PROMPT)
        assert code is None
        assert "the prompt's" in message
    assert plan_one(f"{PROMPT}\n{MODEL_CODE}", PROMPT)[0] == "print(6 * 7)"
    assert plan_one(f"{MODEL_CODE}\nYours was:\n{PROMPT_CODE}", PROMPT)[0] == "print(6 * 7)"


@pytest.mark.parametrize("name", [name for name in SEQUENCES if name.startswith(("in ", "padded", "with a b"))])
def test_a_completion_that_begins_as_a_whole_sequence_is_one(name: str) -> None:
    code, message = plan_one(SEQUENCES[name](PROMPT, "I do not know."), None)
    assert code is None
    assert message
    found = plan_one(SEQUENCES[name](PROMPT, MODEL_CODE), None)[0]
    assert found == ("print(6 * 7)" if name.startswith("in ") else None)
    assert plan_one(SEQUENCES[name](PROMPT, MODEL_CODE), PROMPT)[0] == "print(6 * 7)"
    assert plan_one(SEQUENCES[name](PROMPT, "No."), PROMPT)[0] is None


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>assistant\n" + MODEL_CODE + "<|im_end|>",
        "<think>\nThey wrote <|im_start|>user.\n</think>\n" + MODEL_CODE,
        "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>\n" + MODEL_CODE,
        "[1] is the list.\n" + MODEL_CODE,
        "<answer>" + MODEL_CODE + "</answer><|endoftext|><|endoftext|>",
    ],
)
def test_other_completions_are_responses(text: str) -> None:
    assert plan_one(text, None)[0] == "print(6 * 7)"


def test_of_messages_only_those_of_others_are_the_prompts() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": f"Better than this?\n{PROMPT_CODE}"}]},
        {"role": "assistant", "content": MODEL_CODE},
        {"role": "user", "content": "Are you sure?"},
    ]
    answer = [{"role": "assistant", "content": f"Yes:\n{MODEL_CODE}"}]
    assert plan_one(answer, messages)[0] == "print(6 * 7)"
    assert plan_one([{"role": "assistant", "content": PROMPT_CODE}], messages)[0] is None
    sequence = f"<|user|>Better than this?\n{PROMPT_CODE}<|assistant|>{MODEL_CODE}<|user|>Are you sure?<|assistant|>"
    assert plan_one(sequence + "No.", messages, prompt="included")[0] is None
    assert plan_one(sequence + MODEL_CODE, messages, prompt="included")[0] == "print(6 * 7)"


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
    assert plan_one(completion, prompt)[0] == code
    assert plan_one(prompt + completion, prompt, prompt="included")[0] == code


def test_a_prefilled_message_of_the_assistant_is_continued() -> None:
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "```python\n"}]
    assert plan_one("print(6 * 7)\n```", messages)[0] == "print(6 * 7)"


@given(st.text(max_size=80), st.text(max_size=80), st.booleans())
def test_no_text_is_too_odd(prompt: str, text: str, joined: bool) -> None:
    response = Prompt.parse(prompt).find_response(prompt + text if joined else text)
    assert response is None or response in prompt + text


@pytest.mark.parametrize(
    "text",
    ["<|im_start|>assistant" * 2**15, "<|a" * 2**18, "[/INST]" * 2**17, "a " * 2**19, "```\n" * 2**18, "<s>" * 2**18],
    ids=range(6),
)
def test_a_megabyte_of_nonsense_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    prompt = Prompt.parse(text)
    prompt.find_response(f"x{text}")
    Prompt.parse(PROMPT).find_response(text)
    Prompt.parse(PROMPT).strip_copy(text)
    prompt.prepend_open_fence(text)
    find_response_without_prompt(text)
    assert time.process_time() - began < 10.0
