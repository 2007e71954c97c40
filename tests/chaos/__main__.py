"""`python -m tests.chaos`: every fault, a soak, an overload, or the corpus on a busy machine; results as Markdown."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.capacity import OFFERED_FACTOR, offer
from tests.chaos.faults import PLAIN, Fault
from tests.chaos.ground import GROUNDS, RARE, Ground
from tests.chaos.soak import HEADER as HEADER_OF_SOAK
from tests.chaos.soak import growth, soak
from tests.chaos.stability import OVERLOAD, changed, judged, overload
from tests.chaos.stage import staged
from tests.chaos.trial import HEADER, Trial, trial

FAULTS = {fault.name: fault for fault in (*PLAIN, *RARE)}


def faults(names: Sequence[str]) -> int:
    """Each fault on a stage of its kind; exit code 1 when one of them was not survived."""
    chosen = [FAULTS[name] for name in names or FAULTS]
    trials: list[Trial] = []
    print(HEADER, flush=True)
    for need, ground in GROUNDS.items():
        group = [fault for fault in chosen if fault.needs == need]
        if group:
            trials += _on(ground, group)
    survived = [one for one in trials if not one.failures]
    accepted = sum(one.tally.accepted for one in trials)
    lost = sum(len(one.tally.lost) + len(one.tally.wrong) for one in trials)
    print(f"\nfaults injected {len(trials)}, survived {len(survived)}; submissions accepted {accepted}, lost {lost}")
    return int(len(survived) < len(trials))


def _on(ground: Ground, group: Sequence[Fault]) -> list[Trial]:
    trials = []
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as folder, ground(Path(folder)) as stage:
        for fault in group:
            trials.append(trial(fault, stage))
            print(trials[-1].row(), flush=True)
            for failure in trials[-1].failures[:5]:
                print(f"{fault.name}: {failure[:300]}", file=sys.stderr, flush=True)
        trials[-1].left += stage.stop()
        for left in trials[-1].left:
            print(f"left behind: {left}", file=sys.stderr)
    return trials


def soaked(minutes: float) -> int:
    """Full load for so long; exit code 1 when something grew."""
    looks = []
    print(HEADER_OF_SOAK, flush=True)
    with staged(result_ttl_s="20", queue_ttl_s="40") as stage:
        for look in soak(stage, minutes * 60):
            looks.append(look)
            print(look.row(), flush=True)
        left = stage.stop()
    for fault in (grown := [*growth(looks), *(f"left behind: {each}" for each in left)]):
        print(fault)
    print(f"\n{looks[-1].results} results in {minutes:g} minutes, lost 0; {'nothing grew' if not grown else 'grew'}")
    return int(bool(grown))


def overloaded(seconds: float) -> int:
    """As many clients as keep it busy, and ten times as many."""
    with staged(max_queued="16") as stage:
        for clients in (stage.slots, stage.slots * OFFERED_FACTOR * 2):
            told = offer(stage, clients, seconds)
            print(
                f"{clients} clients: answers {dict(told.answers)}, {told.answers[200] / seconds:.0f} a second;"
                f" accepted p95 {told.p95_s:.2f} s; refused within {max(told.refused_in_s, default=0.0):.2f} s,"
                f" Retry-After {sorted(told.retry_after)}; live within {max(told.live_in_s):.2f} s;"
                f" API memory {told.memory_mb[0]:.0f} to {max(told.memory_mb):.0f} MiB",
                flush=True,
            )
    return int(set(told.answers) != {200, 503})


def stable() -> int:
    """Exit code 1 when a verdict changed."""
    with staged() as stage:
        quiet = judged(stage)
        with overload():
            busy = judged(stage)
    for change in (changes := changed(quiet, busy)):
        print(change)
    tests = sum(verdicts.count(",") for verdicts in quiet.values())
    print(f"programs {len(quiet)}, verdicts on tests {tests}, changed under {OVERLOAD}x CPU overload {len(changes)}")
    return int(bool(changes))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.set_defaults(run=lambda given: faults(()))
    commands = parser.add_subparsers()
    some = commands.add_parser("faults", help="these faults, or all of them")
    some.add_argument("names", nargs="*", metavar="fault", help=", ".join(FAULTS))
    some.set_defaults(run=lambda given: faults(given.names))
    long = commands.add_parser("soak", help="full load for so long")
    long.add_argument("--minutes", type=float, default=30.0)
    long.set_defaults(run=lambda given: soaked(given.minutes))
    more = commands.add_parser("overload", help="ten times what it can do")
    more.add_argument("--seconds", type=float, default=10.0)
    more.set_defaults(run=lambda given: overloaded(given.seconds))
    commands.add_parser("stability", help="the corpus, quiet and busy").set_defaults(run=lambda given: stable())
    given = parser.parse_args()
    code: int = given.run(given)
    return code


if __name__ == "__main__":
    sys.exit(main())
