"""Batches of unusual rows, posted to a real service: no row affects the reward of another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service

STDIN_TESTS = [{"stdin": "", "expected": "42\n"}]
LABEL = json.dumps([{"input": "", "output": "42"}])
GOOD = "```python\nprint(6 * 7)\n```"
WRONG = "```python\nprint(6 + 7)\n```"
COPIED = "```python\nprint(42)\n```"
PROMPT = f"This prints the answer:\n{COPIED}\nWrite it in another way."


@pytest.fixture
async def http(live_service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(ApiSettings(), live_service))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", timeout=120) as client:
        yield client


async def fetch_rewards(http: httpx.AsyncClient, completions: list[Any], **fields: Any) -> list[float | None]:
    response = await http.post("/reward", json={"completions": completions, "policy": "binary", **fields})
    assert response.status_code == 200, response.text
    found: list[float | None] = response.json()["rewards"]
    return found


async def test_fences_are_read_as_models_write_them(http: httpx.AsyncClient) -> None:
    completions = [
        "```python\nprint(6 * 7)```<|im_end|>",
        "<answer>~~~py\nprint(6 * 7)~~~</answer>",
        "The program:```Python3\nprint(6 * 7)\n``` That is all.",
        "1. First:\n   * ```python\n     n = 6\n     print(n * 7)\n     ```",
        "> > ```\n> > for n in [42]:\n> >     print(n)\n> > ```",
        "\ufeff```{.python .numberLines}\r\nprint(6 * 7)\r\n```\r\n",
        "print(6 * 7)\n```",
    ]
    assert await fetch_rewards(http, completions, tests=[STDIN_TESTS]) == [1.0] * 6 + [0.0]
    assert await fetch_rewards(http, completions[-1:], tests=[STDIN_TESTS], extract={"bare": "raw"}) == [1.0]
    assert await fetch_rewards(http, completions[-1:], tests=[STDIN_TESTS], extract={"fence_open": True}) == [1.0]
    assert await fetch_rewards(http, completions[-1:], tests=[STDIN_TESTS], prompts=["Go on:\n```python\n"]) == [1.0]


async def test_a_lone_surrogate_costs_its_own_completion_one_character(http: httpx.AsyncClient) -> None:
    completions = [
        GOOD,
        "\\ud83d " + GOOD,
        "```python\nprint(len('\\udc00') * 42)\n```",
        "\\ud83d\\ude00" + GOOD,
        WRONG,
    ]
    body = json.dumps({"completions": completions, "tests": [STDIN_TESTS]}).replace("\\\\u", "\\u")
    response = await http.post("/reward", content=body, headers={"Content-Type": "application/json"})
    assert response.json()["rewards"] == [1.0, 1.0, 1.0, 1.0, 0.0]


async def test_text_that_is_no_utf8_costs_its_own_completion_one_character(http: httpx.AsyncClient) -> None:
    body = json.dumps({"completions": [GOOD, "Voil@. " + GOOD], "tests": [STDIN_TESTS]}).encode().replace(b"@", b"\xe0")
    response = await http.post("/reward", content=body, headers={"Content-Type": "application/json"})
    assert response.json()["rewards"] == [1.0, 1.0]


async def test_a_body_that_is_no_json_is_refused_all_the_same(http: httpx.AsyncClient) -> None:
    for body in (b'{"completions": ["\\ud800"', b'{"completions": "\xff"}x', b"\xff"):
        response = await http.post("/reward", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400


async def test_rows_without_a_use_have_no_reward_and_the_others_have_theirs(http: httpx.AsyncClient) -> None:
    body = {
        "completions": [GOOD, None, GOOD, GOOD, WRONG],
        "tests": [STDIN_TESTS, STDIN_TESTS, [], STDIN_TESTS, STDIN_TESTS],
        "language": ["python", "python", "python", "cobol", "python"],
    }
    answer = (await http.post("/reward", json=body)).json()
    assert answer["rewards"] == [1.0, 0.0, None, None, 0.0]
    messages = [detail["message"] for detail in answer["details"]]
    assert "no code" in messages[1]
    assert "no tests" in messages[2]
    assert "cobol" in messages[3]
    assert (await http.post("/reward", json={**body, "tests": [[]]})).status_code == 422


async def test_the_prompts_own_program_earns_nothing(http: httpx.AsyncClient) -> None:
    queries = [
        PROMPT + " I do not know.",
        "<pad><pad><s> " + PROMPT.replace("\n", " \n ") + GOOD,
        f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>",
        f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n{GOOD}<|im_end|>",
        f"{PROMPT} The same: {COPIED}",
    ]
    body: dict[str, Any] = {"query": queries, "prompts": [PROMPT] * 5, "labels": [LABEL] * 5}
    answer = (await http.post("/dialects/openrlhf?policy=binary", json=body)).json()
    assert answer["rewards"] == [0.0, 1.0, 0.0, 1.0, 0.0]
    answer = (await http.post("/dialects/openrlhf?policy=binary", json={**body, "prompts": None})).json()
    assert answer["rewards"] == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert "cannot separate the response" in answer["problems"][0]
    responses = ["No.", GOOD, COPIED, PROMPT + "\nNo.", PROMPT + "\n" + GOOD]
    assert await fetch_rewards(http, responses, tests=[STDIN_TESTS], prompts=[PROMPT]) == [0.0, 1.0, 0.0, 0.0, 1.0]
    allowed = {"prompt_code": "allow"}
    assert await fetch_rewards(http, responses, tests=[STDIN_TESTS], prompts=[PROMPT], extract=allowed) == [
        0.0,
        1.0,
        1.0,
        0.0,
        1.0,
    ]


MIXED = [
    ("```python\nprint(input()[::-1])\n```", {"inputs": ["ab\n"], "outputs": ["ba\n"]}),
    ("```python\ndef f(n):\n    return n + 1\n```", {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[2], [3]]}),
    (
        "```python\nclass Solution:\n    def total(self, xs: List[int]) -> int:\n        return sum(xs)\n```",
        {"fn_name": "total", "inputs": ["[1, 2, 3]"], "outputs": ["6"]},
    ),
    (
        "```python\ndef g(n):\n    return n\n```",
        {"assert_case": ["assert g(1) == 1", "assert g(2) == 2"], "inputs": ["", ""], "outputs": [None, None]},
    ),
    ("```python\ndef h(s):\n    return s + s\n```", ["assert h('a') == 'aa'"]),
]


async def test_tests_of_every_kind_are_judged_in_one_batch(http: httpx.AsyncClient) -> None:
    queries, labels = [query for query, _ in MIXED], [json.dumps(label) for _, label in MIXED]
    queries += ["```python\ndef f(n):\n    return n\n```", GOOD]
    labels += [labels[1], "no tests"]
    body = {"query": queries, "prompts": [""] * len(queries), "labels": labels}
    answer = (await http.post("/dialects/openrlhf?policy=binary", json=body)).json()
    assert answer["rewards"] == [1.0] * len(MIXED) + [0.0, 0.0]
    assert [bool(problem) for problem in answer["problems"]] == [False] * (len(MIXED) + 1) + [True]


async def test_function_tests_are_a_field_of_rewards_and_of_tasks(http: httpx.AsyncClient) -> None:
    completion = "```python\ndef double(n):\n    return n * 2\n```"
    tests = [{"args": [2], "expected": 4}, {"assert": "assert double(0) == 0"}]
    assert await fetch_rewards(http, [completion], tests=[tests], entry_point="double") == [1.0]
    text = [{"args": ["a"], "expected": "aa"}]
    assert await fetch_rewards(http, [completion], tests=[text], entry_point="double") == [1.0]
    echo = "```python\nimport sys\nprint(sys.argv[1])\n```"
    assert await fetch_rewards(http, [echo], tests=[[{"args": ["a"], "expected": "a"}]]) == [1.0]
    response = await http.post("/reward", json={"completions": [completion], "tests": [tests]})
    assert response.status_code == 422
    assert "entry_point" in response.json()["detail"]
