"""The options of the commands of `python -m loadtest`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import get_args

from loadtest.peers import PEERS
from loadtest.workloads import FAMILIES, select_workloads
from sandbox.config import CpuPinning

RESULTS = Path(__file__).parent / "results"


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


def add_sweep(command: argparse.ArgumentParser) -> None:
    add_common(command)
    add_url(command)
    command.add_argument("what", choices=["input"])
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--largest", type=int, default=0, help="skip larger sizes (programs, tests or bytes)")
    command.add_argument("--slots", type=int, default=0, help="slots of the started service; default: one per core")


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


def add_boxes(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--number", type=int, default=5, help="of boxes")


def add_sessions(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--calls", type=int, default=50, help="sessions opened one at a time; 0: skip it")
    command.add_argument("--at-once", type=int, default=100, help="sessions opened at the same time")
    command.add_argument("--idle", type=int, default=500, help="idle sessions for the memory row; 0: skip it")
    command.add_argument("--churn", type=int, default=10_000, help="sessions opened and closed; 0: skip it")
    command.add_argument("--rounds", type=int, default=3, help="rounds of verdicts beside sessions; 0: skip them")
    command.add_argument("--seconds", type=float, default=4.0)


def add_limits(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=parse_numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--seconds", type=float, default=5.0)


def add_hosts(command: argparse.ArgumentParser) -> None:
    add_common(command)
    command.add_argument("--hosts", type=parse_numbers, default=[1, 2, 4], metavar="1,2,4", help="network namespaces")
    command.add_argument("--slots", type=int, default=16, help="total slots of all hosts")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--seconds", type=float, default=5.0)


def add_capacity(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, default=RESULTS, metavar="DIR", help="folder with scale.json and limits.json"
    )
    command.add_argument("--where", required=True, help="description of the machine that was measured")


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
