"""Stage 3: a compatible part of the tree with roles, and the task that is written around it, in the style of a site."""

from __future__ import annotations

import random
from typing import Any

from sandbox.synth.lines import Record, Unit
from sandbox.synth.model import Model, Unparsable, json_object
from sandbox.synth.prompts import Prompts
from sandbox.synth.recipe import Recipe
from sandbox.synth.tree import FeatureTree, outline

STATEMENT_CHARS = (80, 20_000)
SCENARIO_CHARS = 2_000


def units(recipe: Recipe, tree: FeatureTree) -> list[Unit]:
    """What each task is offered, and its style: both drawn from the seed and the task's number."""
    paths = tree.paths
    styles, weights = list(recipe.styles), list(recipe.styles.values())
    drawn = []
    for number in range(recipe.tasks):
        rng = random.Random(f"{recipe.seed}/task/{number}")
        offered = rng.sample(paths, min(recipe.features_offered, len(paths)))
        drawn.append(Unit(f"task-{number:05}", {"offered": offered, "style": rng.choices(styles, weights)[0]}))
    return drawn


async def write(unit: Unit, model: Model, prompts: Prompts) -> Record:
    """Two prompts: what goes together, and in which role; then the statement."""
    style, offered = unit.given["style"], unit.given["offered"]
    names = {path[-1] for path in offered}
    inquiry = model.inquiry("tasks", unit.key)
    plan = await inquiry.parsed(prompts.fill("select", features=outline(offered)), lambda text: _plan(text, names))
    statement = None
    if plan is not None:
        roles = "\n".join(f"- {name}: {role}" for name, role in plan["roles"].items())
        asked = prompts.fill("write", style=prompts.text(f"style-{style}"), roles=roles, scenario=plan["scenario"])
        statement = await inquiry.parsed(asked, _statement)
    return {
        "style": style,
        "roles": plan["roles"] if plan else {},
        "statement": statement or "",
        "failed": statement is None,
        "usage": inquiry.usage.record(),
    }


def _plan(text: str, offered: set[str]) -> dict[str, Any]:
    told = json_object(text)
    roles = told.get("roles")
    if not isinstance(roles, dict):
        raise Unparsable
    chosen = {name: str(role) for name, role in roles.items() if name in offered}
    if not chosen:
        raise Unparsable
    return {"roles": chosen, "scenario": str(told.get("scenario", ""))[:SCENARIO_CHARS]}


def _statement(text: str) -> str:
    statement = text.rpartition("</think>")[2].strip()
    if not STATEMENT_CHARS[0] <= len(statement) <= STATEMENT_CHARS[1]:
        raise Unparsable
    return statement
