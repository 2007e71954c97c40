"""The generated tasks are correct, reproducible, and separate from the held-out ones."""

from __future__ import annotations

from sandbox.gpu.training.toy_tasks import TESTS_PER_TASK, generate_tasks, list_combinations, mislabel
from sandbox.queue.submission import Submission
from sandbox.schema import VerifyRequest, VerifyResult
from sandbox.service import Service


def test_the_same_seed_makes_the_same_tasks_and_another_does_not() -> None:
    assert generate_tasks(50, 1) == generate_tasks(50, 1)
    assert generate_tasks(50, 1) != generate_tasks(50, 2)


def test_no_held_out_task_combines_parts_as_a_training_task_does() -> None:
    assert not set(list_combinations(held_out=True)) & set(list_combinations(held_out=False))
    assert not {task.name for task in generate_tasks(900, 1)} & {
        task.name for task in generate_tasks(900, 1, held_out=True)
    }


def test_a_task_asks_in_words_what_its_solution_does() -> None:
    task = generate_tasks(1, 7)[0]
    row, rl = task.to_sft_row(), task.to_rl_task()
    assert row.messages[0].content == rl.prompt
    assert task.statement in row.messages[0].content
    assert row.messages[1].content == f"```python\n{task.solution}\n```"
    assert len(rl.tests) == TESTS_PER_TASK


def test_about_the_share_of_labels_asked_for_is_wrong_and_no_input_changes() -> None:
    tasks = generate_tasks(400, 3)
    wrong = mislabel(tasks, 0.05, 0)
    pairs = [
        (test, other)
        for task, spoilt in zip(tasks, wrong, strict=True)
        for test, other in zip(task.tests, spoilt.tests, strict=True)
    ]
    assert all(test.stdin == other.stdin for test, other in pairs)
    share = sum(test.expected != other.expected for test, other in pairs) / len(pairs)
    assert 0.03 < share < 0.07


def _judge(service: Service, requests: list[VerifyRequest]) -> list[VerifyResult]:
    ticket = service.submit(Submission("verify", requests, batch=True))
    return [_parse_result(future.result(60)) for future in ticket.results]


def test_reference_solutions_pass_and_those_of_other_tasks_do_not(live_service: Service) -> None:
    tasks = generate_tasks(60, 5) + generate_tasks(40, 5, held_out=True)
    right = [VerifyRequest(language="python", code=task.solution, tests=list(task.tests)) for task in tasks]
    swapped = [
        one.model_copy(update={"code": other.code}) for one, other in zip(right, right[1:] + right[:1], strict=True)
    ]
    results = _judge(live_service, right)
    assert [result.verdict for result in results] == ["accepted"] * 100
    others = _judge(live_service, swapped)
    assert sum(result.verdict == "accepted" for result in others) < 10


def _parse_result(data: bytes) -> VerifyResult:
    return VerifyResult.model_validate_json(data)
