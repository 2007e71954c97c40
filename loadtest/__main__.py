"""The command line: `python -m loadtest bench | tail | sweep | scale | boxes | sessions | limits | hosts | ...`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from loadtest import arguments
from loadtest.load_generator import MeasurementFailed
from loadtest.sample import WrongVerdict

QUICK_WORKLOADS = ("W1 single", "W1 batch64", "W1 idle", "W2 py-20", "W5 rl-step")
EXIT_FLOOR_MISSED, EXIT_WRONG_VERDICT, EXIT_NOT_MEASURED = 1, 2, 3


def main(words: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 1 a floor is missed, 2 a verdict was wrong, 3 nothing could be measured."""
    options = build_parser().parse_args(words)
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
    for run, add_options, words in COMMANDS:
        command = commands.add_parser(run.__name__.removeprefix("run_"), help=words)
        add_options(command)
        command.set_defaults(run=run)
    return top


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


COMMANDS = (
    (run_bench, arguments.add_bench, "compare all sides in one table; exit code 1 if a floor is missed"),
    (run_tail, arguments.add_tail, "W8: how long a step waits for its slowest programs; 1 if over the goal"),
    (run_sweep, arguments.add_sweep, "cost by input size; exit code 1 if it grows faster than linearly"),
    (run_scale, arguments.add_scale, "throughput and efficiency by slot count; exit code 1 if too low"),
    (run_boxes, arguments.add_boxes, "cost of an idle box; exit code 1 if a floor is missed"),
    (run_sessions, arguments.add_sessions, "latency and cost of sessions; exit code 1 if a goal is missed"),
    (run_limits, arguments.add_limits, "batches per second of one API process and one Redis, with empty boxes"),
    (run_hosts, arguments.add_hosts, "the same slots on one host and on several, with real boxes"),
    (run_capacity, arguments.add_capacity, "write the capacity page from the results of scale and limits"),
)

if __name__ == "__main__":
    sys.exit(main())
