"""`python -m tests.chaos`: all faults, a soak test, an overload, or the corpus on a busy machine, as Markdown."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.capacity import OFFERED_FACTOR, run_overload
from tests.chaos.deployment import run_deployment
from tests.chaos.environments import ENVIRONMENT_FAULTS, ENVIRONMENTS, Environment
from tests.chaos.faults import PLAIN_FAULTS, Fault
from tests.chaos.scenario import HEADER, ScenarioResult, run_scenario
from tests.chaos.soak import HEADER as HEADER_OF_SOAK
from tests.chaos.soak import find_growth, run_soak
from tests.chaos.stability import OVERLOAD_FACTOR, collect_verdicts, list_changes
from tests.child_processes import overload_cpus

FAULTS = {fault.name: fault for fault in (*PLAIN_FAULTS, *ENVIRONMENT_FAULTS)}


def run_faults_command(names: Sequence[str]) -> int:
    """Run each fault in its environment. Exit code 1 if the service did not survive one of them."""
    chosen = [FAULTS[name] for name in names or FAULTS]
    results: list[ScenarioResult] = []
    print(HEADER, flush=True)
    for environment_name, environment in ENVIRONMENTS.items():
        group = [fault for fault in chosen if fault.environment == environment_name]
        if group:
            results += _run_group(environment, group)
    survived = [one for one in results if not one.failures]
    accepted = sum(one.tally.accepted for one in results)
    lost = sum(len(one.tally.lost) + len(one.tally.wrong) for one in results)
    print(f"\nfaults injected {len(results)}, survived {len(survived)}; submissions accepted {accepted}, lost {lost}")
    return int(len(survived) < len(results))


def _run_group(environment: Environment, group: Sequence[Fault]) -> list[ScenarioResult]:
    results = []
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as folder, environment(Path(folder)) as deployment:
        for fault in group:
            results.append(run_scenario(fault, deployment))
            print(results[-1].format_row(), flush=True)
            for failure in results[-1].failures[:5]:
                print(f"{fault.name}: {failure[:300]}", file=sys.stderr, flush=True)
        results[-1].leftovers += deployment.stop()
        for left in results[-1].leftovers:
            print(f"left behind: {left}", file=sys.stderr)
    return results


def run_soak_command(minutes: float) -> int:
    """Run full load for this many minutes. Exit code 1 if something grew."""
    samples = []
    print(HEADER_OF_SOAK, flush=True)
    with run_deployment(result_ttl_s="20", queue_ttl_s="40") as deployment:
        for sample in run_soak(deployment, minutes * 60):
            samples.append(sample)
            print(sample.format_row(), flush=True)
        left = deployment.stop()
    for fault in (grown := [*find_growth(samples), *(f"left behind: {each}" for each in left)]):
        print(fault)
    print(f"\n{samples[-1].results} results in {minutes:g} minutes, lost 0; {'nothing grew' if not grown else 'grew'}")
    return int(bool(grown))


def run_overload_command(seconds: float) -> int:
    """Compare the number of clients that keeps the service busy with ten times as many."""
    with run_deployment(max_queued="16") as deployment:
        for clients in (deployment.slots, deployment.slots * OFFERED_FACTOR * 2):
            result = run_overload(deployment, clients, seconds)
            print(
                f"{clients} clients: answers {dict(result.statuses)}, {result.statuses[200] / seconds:.0f} a second;"
                f" accepted p95 {result.p95_s:.2f} s; refused within {max(result.refusal_times_s, default=0.0):.2f} s,"
                f" Retry-After {sorted(result.retry_after)}; live within {max(result.liveness_times_s):.2f} s;"
                f" API memory {result.memory_mb[0]:.0f} to {max(result.memory_mb):.0f} MiB",
                flush=True,
            )
    return int(set(result.statuses) != {200, 503})


def run_stability_command() -> int:
    """Compare verdicts on a quiet and on a busy machine. Exit code 1 if a verdict changed."""
    with run_deployment() as deployment:
        quiet = collect_verdicts(deployment)
        with overload_cpus(OVERLOAD_FACTOR):
            busy = collect_verdicts(deployment)
    for change in (changes := list_changes(quiet, busy)):
        print(change)
    tests = sum(verdicts.count(",") for verdicts in quiet.values())
    print(
        f"programs {len(quiet)}, verdicts on tests {tests}, "
        f"changed under {OVERLOAD_FACTOR}x CPU overload {len(changes)}"
    )
    return int(bool(changes))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.set_defaults(run=lambda given: run_faults_command(()))
    commands = parser.add_subparsers()
    some = commands.add_parser("faults", help="run these faults, by default all")
    some.add_argument("names", nargs="*", metavar="fault", help=", ".join(FAULTS))
    some.set_defaults(run=lambda given: run_faults_command(given.names))
    long = commands.add_parser("soak", help="run full load for a long time")
    long.add_argument("--minutes", type=float, default=30.0)
    long.set_defaults(run=lambda given: run_soak_command(given.minutes))
    more = commands.add_parser("overload", help="run ten times the sustainable load")
    more.add_argument("--seconds", type=float, default=10.0)
    more.set_defaults(run=lambda given: run_overload_command(given.seconds))
    commands.add_parser("stability", help="judge the corpus on a quiet and on a busy machine").set_defaults(
        run=lambda given: run_stability_command()
    )
    given = parser.parse_args()
    code: int = given.run(given)
    return code


if __name__ == "__main__":
    sys.exit(main())
