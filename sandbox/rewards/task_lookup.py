"""Find the tests of each completion: in the request, or among the registered tasks that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sandbox.errors import NotFound
from sandbox.schema.reward import RewardRequest, Task

# A request with more unknown tasks than this fails as a whole: most likely its task set does not exist.
_MAX_UNKNOWN_TASKS = 32

TaskLookup = Callable[[Sequence[str]], Mapping[str, Task]]


def _look_up_tasks(references: Sequence[str], lookup: TaskLookup) -> Mapping[str, Task | NotFound]:
    """Return each task, or the error if it is unknown. Raises NotFound if more than `_MAX_UNKNOWN_TASKS` are unknown.

    Looks up all references at once. If the lookup fails, looks up each half separately, and so on.
    """
    found: dict[str, Task | NotFound] = {}
    unknown = 0
    parts = [references]
    while parts:
        part = parts.pop()
        try:
            found |= lookup(part)
        except NotFound as error:
            if len(part) == 1:
                found[part[0]] = error
                unknown += 1
                if unknown > _MAX_UNKNOWN_TASKS:
                    raise
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
    return found


def resolve_tasks(request: RewardRequest, lookup: TaskLookup) -> list[Task | NotFound]:
    """Return the task of each completion, or the error that explains why it has none."""
    tasks: list[Task | NotFound]
    if request.tasks is not None:
        known = _look_up_tasks(list(dict.fromkeys(request.tasks)), lookup) if request.tasks else {}
        if request.suite == "smallest":
            known = {
                name: task.keep_smallest_suite() if isinstance(task, Task) else task for name, task in known.items()
            }
        tasks = [known[reference] for reference in request.tasks]
    else:
        every = request.tests or []
        weights: Sequence[list[float] | None] = request.weights or [None] * len(every)
        # The tests were validated already. Building the models again for every completion costs as much as parsing
        # them.
        tasks = [
            Task.model_construct(tests=tests, entry_point="", weights=some, language=None, checker=None, limits=None)
            for tests, some in zip(every, weights, strict=True)
        ]
    return request.spread(tasks)
