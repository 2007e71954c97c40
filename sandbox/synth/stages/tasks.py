"""Stage 3: select compatible features with roles, and write a task around them in the style of a contest site."""

from __future__ import annotations

import random
from typing import Any

from sandbox.errors import BadRequest
from sandbox.llm.chat_model import ChatModel, Unparsable, parse_json_object
from sandbox.synth.feature_tree import FeatureTree, format_outline
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.dataset import read_rows

STATEMENT_CHARS = (80, 20_000)
MAX_SCENARIO_CHARS = 2_000


def build_units(run_config: RunConfig, tree: FeatureTree) -> list[Unit]:
    """Draw the offered features and the style of each task, from the seed and the task's number."""
    paths = tree.paths
    styles, weights = list(run_config.styles), list(run_config.styles.values())
    drawn = []
    for number in range(run_config.tasks):
        rng = random.Random(f"{run_config.seed}/task/{number}")
        offered = rng.sample(paths, min(run_config.features_offered, len(paths)))
        drawn.append(Unit(f"task-{number:05}", {"offered": offered, "style": rng.choices(styles, weights)[0]}))
    return drawn


def read_given_units(run_config: RunConfig) -> list[Unit]:
    """Read the tasks of the file `statements`, at most as many as the run has. Raises BadRequest."""
    assert run_config.statements is not None
    rows = read_rows(run_config.statements)[: run_config.tasks]
    for number, row in enumerate(rows):
        if not isinstance(row.get("statement"), str) or not row["statement"].strip():
            raise BadRequest(f"{run_config.statements}: line {number + 1} has no text as `statement`")
    return [Unit(f"task-{number:05}", row) for number, row in enumerate(rows)]


async def copy_given_task(unit: Unit) -> Record:
    """Return the record of a given task, which no model wrote."""
    return {"style": "given", "roles": {}, "statement": unit.payload["statement"], "failed": False, "usage": {}}


async def write_task(unit: Unit, model: ChatModel, prompts: Prompts) -> Record:
    """Ask for features that fit together and their roles, then for the statement."""
    style, offered = unit.payload["style"], unit.payload["offered"]
    names = {path[-1] for path in offered}
    session = model.start_session("tasks", unit.key)
    plan = await session.ask_until_parsed(
        prompts.fill("select", features=format_outline(offered)), lambda text: _parse_plan(text, names)
    )
    statement = None
    if plan is not None:
        roles = "\n".join(f"- {name}: {role}" for name, role in plan["roles"].items())
        prompt = prompts.fill(
            "write", style=prompts.read_text(f"style-{style}"), roles=roles, scenario=plan["scenario"]
        )
        statement = await session.ask_until_parsed(prompt, _parse_statement)
    return {
        "style": style,
        "roles": plan["roles"] if plan else {},
        "statement": statement or "",
        "failed": statement is None,
        "usage": session.usage.to_record(),
    }


def _parse_plan(text: str, offered: set[str]) -> dict[str, Any]:
    answer = parse_json_object(text)
    roles = answer.get("roles")
    if not isinstance(roles, dict):
        raise Unparsable
    chosen = {name: str(role) for name, role in roles.items() if name in offered}
    if not chosen:
        raise Unparsable
    return {"roles": chosen, "scenario": str(answer.get("scenario", ""))[:MAX_SCENARIO_CHARS]}


def _parse_statement(text: str) -> str:
    statement = text.rpartition("</think>")[2].strip()
    if not STATEMENT_CHARS[0] <= len(statement) <= STATEMENT_CHARS[1]:
        raise Unparsable
    return statement
