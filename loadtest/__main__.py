"""The command line: `python -m loadtest bench | tail | sweep | scale | boxes | sessions | limits | hosts | ...`."""

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

from loadtest.load_generator import MeasurementFailed
from loadtest.peers import PEERS
from loadtest.sample import WrongVerdict
from loadtest.workloads import FAMILIES, select_workloads
from sandbox.config import CpuPinning

RESULTS = Path(__file__).parent / "results"
QUICK_WORKLOADS = ("W1 single", "W1 batch64", "W1 idle", "W2 py-20", "W5 rl-step")
EXIT_FLOOR_MISSED, EXIT_WRONG_VERDICT, EXIT_NOT_MEASURED = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 1 a floor is missed, 2 a verdict was wrong, 3 nothing could be measured."""
    options = build_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 190, highlight=False)
    try:
        return int(options.run(options, console))
    except WrongVerdict as wrong:
        console.print(f"[bold red]wrong verdict[/]  {wrong}", markup=True)
        return EXIT_WRONG_VERDICT
    except MeasurementFailed as failure:
        console.print(f"[bold red]not measured[/]  {failure}")
        return EXIT_NOT_MEASURED


def exit_on_sigterm(*_: object) -> None:
    """Exit on SIGTERM through every context manager, so that no service or pool is left running."""
    raise SystemExit(128 + signal.SIGTERM)


def build_parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("python -m loadtest", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add_bench(commands.add_parser("bench", help="compare all sides in one table; exit code 1 if a floor is missed"))
    add_tail(commands.add_parser("tail", help="W8: how long a step waits for its slowest programs; 1 if over the goal"))
    add_sweep(commands.add_parser("sweep", help="cost by input size; exit code 1 if it grows faster than linearly"))
    add_scale(commands.add_parser("scale", help="throughput and efficiency by slot count; exit code 1 if too low"))
    add_boxes(commands.add_parser("boxes", help="cost of an idle box; exit code 1 if a floor is missed"))
    add_sessions(commands.add_parser("sessions", help="latency and cost of sessions; exit code 1 if a goal is missed"))
    add_limits(
        commands.add_parser("limits", help="batches per second of one API process and one Redis, with empty boxes")
    )
    add_hosts(commands.add_parser("hosts", help="the same slots on one host and on several, with real boxes"))
    add_capacity(commands.add_parser("capacity", help="write the capacity page from the results of scale and limits"))
    return top


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="for JSON and plots")
    command.add_argument("--no-plots", action="store_true", help="draw no plots, and do not require matplotlib")


def add_url(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", help="URL of a running service; default: start one")


def add_tail(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--slots", type=parse_numbers, default=[len(os.sched_getaffinity(0))], metavar="2,16")
    command.add_argument("--prompts", type=int, default=64, help="prompts of the step, with 8 completions each")
    command.add_argument("--rounds", type=int, default=1)
    command.add_argument("--sleeping", action="store_true", help="programs sleep, so that slots may outnumber cores")
    command.add_argument("--compare", action="store_true", help="also run without spreading tests over idle slots")
    command.set_defaults(run=run_tail)


def add_sweep(command: argparse.ArgumentParser) -> None:
    add_common(command)
    add_url(command)
    command.add_argument("what", choices=["input"])
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--largest", type=int, default=0, help="skip larger sizes (programs, tests or bytes)")
    command.add_argument("--slots", type=int, default=0, help="slots of the started service; default: one per core")
    command.set_defaults(run=run_sweep)


def add_scale(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--slots", type=parse_numbers, default=[1, 2, 4, 8, 16], metavar="1,2,4,8,16")
    command.add_argument(
        "--pin",
        type=parse_pins,
        default=["none"],
        metavar="none,slots",
        help="pinning modes; all but the first only for the largest count",
    )
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=run_scale)


def add_boxes(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--number", type=int, default=5, help="of boxes")
    command.set_defaults(run=run_boxes)


def add_sessions(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--calls", type=int, default=50, help="sessions opened one at a time; 0: skip it")
    command.add_argument("--at-once", type=int, default=100, help="sessions opened at the same time")
    command.add_argument("--idle", type=int, default=500, help="idle sessions for the memory row; 0: skip it")
    command.add_argument("--churn", type=int, default=10_000, help="sessions opened and closed; 0: skip it")
    command.add_argument("--rounds", type=int, default=3, help="rounds of verdicts beside sessions; 0: skip them")
    command.add_argument("--seconds", type=float, default=4.0)
    command.set_defaults(run=run_sessions)


def add_limits(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=parse_numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=run_limits)


def add_hosts(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=parse_numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--slots", type=int, default=16, help="total slots of all hosts")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--seconds", type=float, default=5.0)
    command.set_defaults(run=run_hosts)


def add_capacity(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, default=RESULTS, metavar="DIR", help="folder with scale.json and limits.json"
    )
    command.add_argument("--where", required=True, help="description of the machine that was measured")
    command.set_defaults(run=run_capacity)


def add_bench(command: argparse.ArgumentParser) -> None:
    add_common(command)
    add_url(command)
    command.add_argument(
        "--workloads", type=parse_workloads, default=parse_workloads(",".join(FAMILIES)), metavar="W1,W2,..."
    )
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--seconds", type=float, default=5.0, help="seconds per side and round")
    command.add_argument("--slots", type=int, default=0, help="slots, and workers of the pools; default: one per core")
    command.add_argument(
        "--peer", type=parse_peer, action="append", default=[], metavar="KIND=URL", help=", ".join(PEERS)
    )
    command.add_argument("--python", default="/usr/bin/python3", help="interpreter of the bare side")
    command.add_argument("--no-docker-run", action="store_true", help="skip the container-per-test side")
    command.add_argument("--no-curve", action="store_true", help="skip the throughput by concurrency")
    command.add_argument("--quick", action="store_true", help="at most three minutes, and a table of 100 columns")
    command.add_argument("--markdown", action="store_true", help="also print the table as Markdown")
    command.set_defaults(run=run_bench)


def parse_workloads(text: str) -> object:
    try:
        return select_workloads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_numbers(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def parse_pins(text: str) -> list[str]:
    """Parse a list of pinning modes, keeping the order."""
    ways = list(dict.fromkeys(text.split(",")))
    unknown = [way for way in ways if way not in get_args(CpuPinning)]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(get_args(CpuPinning))}")
    return ways


def parse_peer(text: str) -> tuple[str, str]:
    kind, found, url = text.partition("=")
    if kind not in PEERS or not found or not url.startswith("http"):
        raise argparse.ArgumentTypeError(f"{text!r} must be KIND=URL, where KIND is one of {', '.join(PEERS)}")
    return kind, url


def run_bench(options: argparse.Namespace, console: Console) -> int:
    from loadtest.bench import Plan, run
    from loadtest.bench_table import format_markdown, show

    if options.quick:
        options.workloads = [one for one in options.workloads if one.name in QUICK_WORKLOADS]
        options.rounds, options.seconds = min(options.rounds, 3), min(options.seconds, 2.0)
        options.no_docker_run = options.no_curve = options.no_plots = True
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
    show(result, console, brief=options.quick)
    if options.markdown:
        print(format_markdown(result))
    write_json(options.out / ("quick.json" if options.quick else "bench.json"), result.to_json(), console)
    if not options.no_plots:
        from loadtest.plots import draw_bench

        report_written(draw_bench(result, options.out), console)
    return EXIT_FLOOR_MISSED if result.missed else 0


def run_tail(options: argparse.Namespace, console: Console) -> int:
    from loadtest.tail import run, show, to_json

    spreads = [False, True] if options.compare else [True]
    plan = options.slots, options.prompts, options.rounds, options.sleeping, spreads
    results = run(*plan, lambda line: console.print(f"[dim]{line}[/]"))
    show(results, console)
    write_json(options.out / "tail.json", to_json(results), console)
    if not options.no_plots:
        from loadtest.tail_plot import draw_tail

        report_written(draw_tail(results, options.out), console)
    over = [one for one in results if one.spread and one.goal is not None and one.ratio > one.goal]
    return EXIT_FLOOR_MISSED if over else 0


def run_sweep(options: argparse.Namespace, console: Console) -> int:
    from loadtest.sweep import build_input_series, measure, show, to_json
    from loadtest.temporary_service import TemporaryService

    series = build_input_series()
    for one in series:
        one.points = [point for point in one.points if not options.largest or point.size <= options.largest]

    def say(line: str) -> None:
        console.print(f"[dim]{line}[/]")

    if options.url:
        measure(series, options.url, options.rounds, say)
    else:
        with TemporaryService(options.slots or len(os.sched_getaffinity(0))) as service:
            measure(series, service.url, options.rounds, say)
    show(series, console)
    write_json(options.out / "sweep_input.json", to_json(series), console)
    if not options.no_plots:
        from loadtest.plots import draw_sweep

        report_written(draw_sweep(series, options.out), console)
    return 0 if all(one.linear for one in series) else EXIT_FLOOR_MISSED


def run_scale(options: argparse.Namespace, console: Console) -> int:
    from loadtest.scale import run, show, to_json

    plan = options.slots, options.pin, options.rounds, options.seconds
    steps = run(*plan, lambda line: console.print(f"[dim]{line}[/]"))
    show(steps, console)
    write_json(options.out / "scale.json", to_json(steps), console)
    if not options.no_plots:
        from loadtest.plots import draw_scale

        report_written(draw_scale(steps, options.out), console)
    return EXIT_FLOOR_MISSED if any(step.missed for step in steps) else 0


def run_boxes(options: argparse.Namespace, console: Console) -> int:
    from loadtest.boxes import measure, show

    costs = measure(options.number, lambda line: console.print(f"[dim]{line}[/]"))
    show(costs, console)
    write_json(options.out / "boxes.json", costs.to_json(), console)
    return EXIT_FLOOR_MISSED if costs.missed else 0


def run_sessions(options: argparse.Namespace, console: Console) -> int:
    from loadtest.session_table import show
    from loadtest.sessions import measure

    parts = measure(
        console,
        calls=options.calls,
        at_once=options.at_once,
        idle=options.idle,
        churn=options.churn,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    missed = False
    for costs in parts:
        show(costs, console)
        write_json(options.out / "sessions.json", costs.to_json(), console)
        missed = costs.missed
    return EXIT_FLOOR_MISSED if missed else 0


def run_limits(options: argparse.Namespace, console: Console) -> int:
    from loadtest.limits import run, show, to_json

    found = run(options.hosts, options.seconds, lambda line: console.print(f"[dim]{line}[/]"))
    show(found, console)
    write_json(options.out / "limits.json", to_json(found), console)
    return 0


def run_hosts(options: argparse.Namespace, console: Console) -> int:
    from loadtest.hosts import run, show, to_json

    def say(line: str) -> None:
        console.print(f"[dim]{line}[/]")

    found = run(options.hosts, options.slots, options.rounds, options.seconds, say)
    show(found, console)
    write_json(options.out / "hosts.json", to_json(found), console)
    return 0


def run_capacity(options: argparse.Namespace, console: Console) -> int:
    from loadtest.capacity import write_page

    report_written([write_page(options.out, options.where)], console)
    return 0


def report_written(paths: Sequence[Path], console: Console) -> None:
    for path in paths:
        console.print(f"wrote {path}")


def write_json(path: Path, content: object, console: Console) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
    console.print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
