"""`python -m loadtest bench | sweep | scale | boxes | limits | hosts | capacity`: parse and wire, nothing else."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from loadtest.load import Unanswered
from loadtest.sample import WrongVerdict
from loadtest.sides import PEERS
from loadtest.workloads import FAMILIES, chosen
from sandbox.config import Pinned

RESULTS = Path(__file__).parent / "results"
MISSED, WRONG, FAILED = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 1 a floor is missed, 2 a verdict was wrong, 3 nothing could be measured."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, stop)
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 190, highlight=False)
    try:
        return int(options.run(options, console))
    except WrongVerdict as wrong:
        console.print(f"[bold red]wrong verdict[/]  {wrong}", markup=True)
        return WRONG
    except Unanswered as failure:
        console.print(f"[bold red]not measured[/]  {failure}")
        return FAILED


def stop(*_: object) -> None:
    """SIGTERM: leave through every context manager, so that no service and no pool stays."""
    raise SystemExit(128 + signal.SIGTERM)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("python -m loadtest", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add_bench(commands.add_parser("bench", help="every side in one table of ratios; exit code 1: a floor is missed"))
    add_sweep(commands.add_parser("sweep", help="cost against the size of the input; exit code 1: faster than linear"))
    add_scale(commands.add_parser("scale", help="throughput and efficiency per slot count; exit code 1: too little"))
    add_boxes(commands.add_parser("boxes", help="what an idle box costs; exit code 1: a floor is missed"))
    add_limits(commands.add_parser("limits", help="envelopes a second of one API process and one Redis, empty boxes"))
    add_hosts(commands.add_parser("hosts", help="the same slots on one host and spread over several, real boxes"))
    add_capacity(commands.add_parser("capacity", help="write the capacity page from the results of scale and limits"))
    return top


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="for JSON and plots")
    command.add_argument("--no-plots", action="store_true", help="needs no matplotlib then")


def add_url(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", help="a running service; default: one of our own is started")


def add_sweep(command: argparse.ArgumentParser) -> None:
    add_common(command)
    add_url(command)
    command.add_argument("what", choices=["input"])
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--largest", type=int, default=0, help="leave out larger sizes (programs, tests or bytes)")
    command.add_argument("--slots", type=int, default=0, help="of the service that is started; default: one per core")
    command.set_defaults(run=sweep)


def add_scale(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--slots", type=numbers, default=[1, 2, 4, 8, 16], metavar="1,2,4,8,16")
    command.add_argument("--pin", type=pins, default=["none"], metavar="none,slots", help="the largest count, each way")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=scale)


def add_boxes(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--number", type=int, default=5, help="of boxes")
    command.set_defaults(run=boxes)


def add_limits(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=limits)


def add_hosts(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--slots", type=int, default=16, help="of all hosts together")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=hosts)


def add_capacity(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, default=RESULTS, metavar="DIR", help="where scale.json and limits.json are"
    )
    command.add_argument("--where", required=True, help="the machine they are from, in words")
    command.set_defaults(run=capacity)


def add_bench(command: argparse.ArgumentParser) -> None:
    add_common(command)
    add_url(command)
    command.add_argument("--workloads", type=workloads, default=workloads(",".join(FAMILIES)), metavar="W1,W2,...")
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--seconds", type=float, default=5.0, help="of each side in each round")
    command.add_argument("--slots", type=int, default=0, help="and workers of the pools; default: one per core")
    command.add_argument("--peer", type=peer, action="append", default=[], metavar="KIND=URL", help=", ".join(PEERS))
    command.add_argument("--python", default="/usr/bin/python3", help="the bare side's interpreter")
    command.add_argument("--no-docker-run", action="store_true", help="without the container-per-test side")
    command.add_argument("--no-curve", action="store_true", help="without throughput against concurrency")
    command.set_defaults(run=bench)


def workloads(text: str) -> object:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def numbers(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def pins(text: str) -> list[str]:
    """As they are named, the first one first."""
    ways = list(dict.fromkeys(text.split(",")))
    unknown = [way for way in ways if way not in get_args(Pinned)]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(get_args(Pinned))}")
    return ways


def peer(text: str) -> tuple[str, str]:
    kind, found, url = text.partition("=")
    if kind not in PEERS or not found or not url.startswith("http"):
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=URL with a kind of {', '.join(PEERS)}")
    return kind, url


def bench(options: argparse.Namespace, console: Console) -> int:
    from loadtest.bench import Plan, run
    from loadtest.table import show

    plan = Plan(
        workloads=options.workloads,
        rounds=options.rounds,
        seconds=options.seconds,
        url=options.url,
        peers=dict(options.peer),
        slots=options.slots,
        python=options.python,
        docker_run=not options.no_docker_run,
        curve=not options.no_curve,
    )
    result = run(plan, lambda line: console.print(f"[dim]{line}[/]"))
    show(result, console)
    write(options.out / "bench.json", result.as_json(), console)
    if not options.no_plots:
        from loadtest.plots import draw_bench

        tell(draw_bench(result, options.out), console)
    return MISSED if result.missed else 0


def sweep(options: argparse.Namespace, console: Console) -> int:
    from loadtest.own_service import OwnService
    from loadtest.sweep import as_json, input_series, measure, show

    series = input_series()
    for one in series:
        one.points = [point for point in one.points if not options.largest or point.size <= options.largest]

    def say(line: str) -> None:
        console.print(f"[dim]{line}[/]")

    if options.url:
        measure(series, options.url, options.rounds, say)
    else:
        with OwnService(options.slots or len(os.sched_getaffinity(0))) as service:
            measure(series, service.url, options.rounds, say)
    show(series, console)
    write(options.out / "sweep_input.json", as_json(series), console)
    if not options.no_plots:
        from loadtest.plots import draw_sweep

        tell(draw_sweep(series, options.out), console)
    return 0 if all(one.linear for one in series) else MISSED


def scale(options: argparse.Namespace, console: Console) -> int:
    from loadtest.scale import as_json, run, show

    plan = options.slots, options.pin, options.rounds, options.seconds
    steps = run(*plan, lambda line: console.print(f"[dim]{line}[/]"))
    show(steps, console)
    write(options.out / "scale.json", as_json(steps), console)
    if not options.no_plots:
        from loadtest.plots import draw_scale

        tell(draw_scale(steps, options.out), console)
    return MISSED if any(step.missed for step in steps) else 0


def boxes(options: argparse.Namespace, console: Console) -> int:
    from loadtest.boxes import measure, show

    costs = measure(options.number, lambda line: console.print(f"[dim]{line}[/]"))
    show(costs, console)
    write(options.out / "boxes.json", costs.as_json(), console)
    return MISSED if costs.missed else 0


def limits(options: argparse.Namespace, console: Console) -> int:
    from loadtest.limits import as_json, run, show

    found = run(options.hosts, options.seconds, lambda line: console.print(f"[dim]{line}[/]"))
    show(found, console)
    write(options.out / "limits.json", as_json(found), console)
    return 0


def hosts(options: argparse.Namespace, console: Console) -> int:
    from loadtest.hosts import as_json, run, show

    def say(line: str) -> None:
        console.print(f"[dim]{line}[/]")

    found = run(options.hosts, options.slots, options.rounds, options.seconds, say)
    show(found, console)
    write(options.out / "hosts.json", as_json(found), console)
    return 0


def capacity(options: argparse.Namespace, console: Console) -> int:
    from loadtest.capacity import write_page

    tell([write_page(options.out, options.where)], console)
    return 0


def tell(paths: Sequence[Path], console: Console) -> None:
    for path in paths:
        console.print(f"wrote {path}")


def write(path: Path, content: object, console: Console) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
    console.print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
