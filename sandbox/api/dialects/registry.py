"""All dialects by name, and the paths where they are served."""

from __future__ import annotations

from fastapi import APIRouter

from sandbox.api.dialects import (
    areal,
    code_judge,
    e2b,
    judge0,
    nemo_gym,
    open_instruct,
    open_r1,
    openenv,
    openrlhf,
    piston,
    sandbox_fusion,
    slime,
    swe_rex,
)

PATH_PREFIX = "/dialects"

DIALECTS = {
    module.DIALECT.name: module.DIALECT
    for module in (
        sandbox_fusion,
        code_judge,
        piston,
        judge0,
        openrlhf,
        slime,
        open_instruct,
        open_r1,
        areal,
        openenv,
        nemo_gym,
        e2b,
        swe_rex,
    )
}


def add_routes(router: APIRouter) -> None:
    """Add every dialect below `/dialects/<name>`."""
    for name, dialect in DIALECTS.items():
        dialect.add_routes(router, f"{PATH_PREFIX}/{name}")


def add_root_routes(router: APIRouter, name: str) -> None:
    """Add one dialect at the root, before the service's own routes. It handles every path that both of them have."""
    if name:
        DIALECTS[name].add_routes(router, "")
