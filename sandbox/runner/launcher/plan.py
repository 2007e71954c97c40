"""What the local engine and the launcher tell each other: a plan for a box, and what a probe has found.

Both travel as JSON, through the launcher's stdin and stdout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MountTree(NamedTuple):
    """The file system of a box: what it shows of the host, as (source, target) pairs, and how large it is."""

    tmpfs_mb: int
    runner: str  # the folder that holds the runner's package
    shown: Sequence[tuple[str, str]] = ()


class Plan(NamedTuple):
    """How to start a box, or with `probe` what to try.

    `ids` is how user ids are mapped: `host` (no user namespace), `all`, `range` (those lent to this user) or `one`.
    """

    place: str  # an empty folder to mount the box's root on
    tree: MountTree
    capabilities: Sequence[str]
    lent_uids: tuple[int, int] | None  # first and count
    lent_gids: tuple[int, int] | None
    probe: bool = True
    kinds: Sequence[str] = ()  # of namespaces
    ids: str = ""
    cgroups: Sequence[str] = ()  # the folders of the cgroups to join
    folder: str | None = None  # holds the box's files if it has no mount namespace; removed at its end
    connection: int = -1  # the descriptor of the supervisor's connection
    leash: int = -1  # the descriptor of the pipe that closes when the worker ends
    supervisor: Sequence[str] = ()  # the arguments of the supervisor


class ProbeResult(NamedTuple):
    """What a host allows: kinds of namespaces, how user ids are mapped, and the reason for each refused step.

    `uids` are those of the launcher's user namespace as (first, count) pairs. Without `works`, no box can start.
    """

    kinds: Sequence[str]
    ids: str
    reasons: Mapping[str, str]
    works: bool
    uids: Sequence[tuple[int, int]]


def encode_plan(plan: Plan) -> str:
    """Return the plan as JSON."""
    return json.dumps({**plan._asdict(), "tree": plan.tree._asdict()})


def decode_plan(text: str) -> Plan:
    """Return the plan in the JSON of `encode_plan`."""
    fields = json.loads(text)
    return Plan(**{**fields, "tree": MountTree(**fields["tree"])})
