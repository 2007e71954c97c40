"""The messages between the local engine and the launcher: the plan for a box, and the result of a probe.

Both travel as JSON, through the launcher's stdin and stdout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MountTree(NamedTuple):
    """The file system of a box: the mounted folders of the host, as (source, target) pairs, and its size."""

    tmpfs_mb: int
    runner: str  # the folder that holds the runner's package
    shown: Sequence[tuple[str, str]] = ()


class Plan(NamedTuple):
    """The plan for starting a box or, with `probe`, for testing which isolation layers the host allows.

    `ids` selects the mapping of user ids: `host` (no user namespace), `all`, `range` (the subordinate ids of this user)
    or `one`.
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
    """The result of a probe: the allowed namespaces, the mapping of user ids, and the reason for each refused step.

    `uids` are the uids of the launcher's user namespace as (first, count) pairs. If `works` is False, no box can start.
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
    """Return the plan in a JSON text from `encode_plan`."""
    fields = json.loads(text)
    return Plan(**{**fields, "tree": MountTree(**fields["tree"])})
