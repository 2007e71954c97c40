"""The commands that observe: `sandbox top` shows the whole service, `sandbox logs` traces one submission."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import Url, connect_to_service, fail, read_settings, say

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from sandbox.schema.live import LiveResult, LiveSessions, LiveSlot, LiveView

RATE_WINDOW_S = 10
BARS = " ▁▂▃▄▅▆▇█"
GRAPH_WINDOW_S = 60
MAX_RECENT_SHOWN = 12
COLOURS = {"accepted": "green", "ok": "green", "internal_error": "bold red", "busy": "green", "silent": "red"}
MIN_ID_CHARS = 8  # this many characters identify an id
ID_CHARS_SHOWN = 10
ID_FIELDS = ("submission", "item", "request", "webhook", "job")
LEADING_FIELDS = ("time", "level", "process", "logger", "message", "traceback")


def top(
    every_s: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between updates.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print once and exit.")] = False,
    url: Url = "",
) -> None:
    """Show the service live: verdicts per second, lanes, slots and the latest results. Exit with Ctrl-C.

    If the service uses API keys, set SANDBOX_API_KEY to a key with the role admin.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with connect_to_service(url) as client:
        if once:
            console.print(_render_view(client.live()))
            return
        with Live(
            _render_view(client.live()), console=console, screen=console.is_terminal, auto_refresh=False
        ) as shown:
            try:
                while True:
                    time.sleep(every_s)
                    shown.update(_render_view(client.live()), refresh=True)
            except KeyboardInterrupt:
                return


def _render_view(view: LiveView) -> Group:
    from rich.console import Group

    recent = _render_recent(view.recent[:MAX_RECENT_SHOWN], view.at)
    sessions = [] if view.sessions is None else [_render_sessions(view.sessions)]
    slots = _render_slots(view.slots, view.at)
    return Group(_render_headline(view), _render_lanes(view), slots, *sessions, recent)


def _render_headline(view: LiveView) -> str:
    """Render the rate of the last complete seconds, and a graph of the last minute."""
    by_second = {second.at: sum(second.verdicts.values()) for second in view.seconds}
    now = int(view.at)
    verdicts: Counter[str] = Counter()
    for second in view.seconds:
        if now - RATE_WINDOW_S <= second.at < now:
            verdicts.update(second.verdicts)
    counts = [by_second.get(at, 0) for at in range(now - GRAPH_WINDOW_S, now)]
    most = max(counts)
    graph = "".join(BARS[-(-count * (len(BARS) - 1) // most)] if most else BARS[0] for count in counts)
    parts = "  ".join(f"{_colorize(name)} {number / RATE_WINDOW_S:.1f}" for name, number in verdicts.most_common())
    rate = f"[bold]{verdicts.total() / RATE_WINDOW_S:.1f} verdicts/s[/]"
    return f"{rate}  {parts}\n{graph} peak per second: {most}"


def _render_lanes(view: LiveView) -> Table:
    from rich.box import SIMPLE
    from rich.table import Column, Table

    table = Table(
        "lane", Column("queued", justify="right"), Column("oldest", justify="right"), box=SIMPLE, pad_edge=False
    )
    for lane in view.lanes:
        table.add_row(lane.name, str(lane.queued), _format_age(lane.oldest_s) if lane.oldest_s else "")
    return table


def _render_slots(slots: Sequence[LiveSlot], now: float) -> Table:
    from rich.box import SIMPLE
    from rich.table import Column, Table

    table = Table("slot", "state", "running", Column("for", justify="right"), "boxes", box=SIMPLE, pad_edge=False)
    table.add_column("done", justify="right")
    for slot in slots:
        running, since = slot.running, slot.since
        works_on = "" if running is None else f"{running.kind} {running.language} {running.lane} {running.id[:12]}"
        for_s = _format_age(now - since) if since is not None and running is not None else ""
        table.add_row(slot.name, _colorize(slot.state), works_on, for_s, ", ".join(slot.boxes), str(slot.done))
    return table


def _render_sessions(sessions: LiveSessions) -> str:
    hosts = sessions.hosts
    if not hosts:
        return f"[red]sessions: no host is alive, {len(sessions.latest)} wait for one[/]"
    open_now, places = sum(host.open for host in hosts), sum(host.places for host in hosts)
    warm, draining = sum(host.warm for host in hosts), sum(host.draining for host in hosts)
    parts = [
        f"[bold]{open_now}[/] of {places} open",
        f"{len(hosts)} host{'s' * (len(hosts) != 1)}",
        f"{warm} warm box{'es' * (warm != 1)}",
        *([f"[yellow]{draining} draining[/]"] if draining else []),
    ]
    return f"sessions: {', '.join(parts)}"


def _render_recent(results: Sequence[LiveResult], now: float) -> Table:
    from rich.box import SIMPLE
    from rich.table import Column, Table

    left = [Column(name, no_wrap=True) for name in ("ended", "language", "verdict")]
    right = [Column(name, justify="right", no_wrap=True) for name in ("tests", "queued", "took", "ago")]
    table = Table(*left, *right, box=SIMPLE, pad_edge=False, collapse_padding=True)
    for one in results:
        tests = "" if one.total is None else f"{one.passed}/{one.total}"
        times = (_format_duration(one.queued_s), _format_duration(one.took_s), _format_age(max(0.0, now - one.at)))
        start, dot, item = one.id.partition(".")
        shown = start[:ID_CHARS_SHOWN] + dot + item
        table.add_row(shown, one.language, _colorize(one.verdict), tests, *times)
    return table


def show_durable_jobs(view: LiveView) -> None:
    """Show the durable submissions among the latest results, with their verdicts."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    by_job: dict[str, list[LiveResult]] = {}
    for one in view.recent:
        if one.job is not None:
            by_job.setdefault(one.job, []).append(one)
    if not by_job:
        say("None of the latest submissions is durable.")
        return
    table = Table(Column("submission", no_wrap=True), "kind", "lane", "verdicts", "ended", box=SIMPLE, pad_edge=False)
    for job, results in list(by_job.items())[:MAX_RECENT_SHOWN]:
        verdicts = Counter(one.verdict for one in results)
        verdict_counts = "  ".join(f"{_colorize(verdict)} {number}" for verdict, number in verdicts.most_common())
        last = max(one.at for one in results)
        table.add_row(
            job, results[0].kind, results[0].lane, verdict_counts, f"{_format_age(max(0.0, view.at - last))} ago"
        )
    Console().print(table)


def _colorize(word: str) -> str:
    colour = COLOURS.get(word, "yellow" if word not in {"idle", "skipped"} else "dim")
    return f"[{colour}]{word}[/]"


def _format_duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def _format_age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def logs(
    an_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="Id of a submission, item, request or job; its first 8 characters suffice."),
    ],
    file: Annotated[
        list[Path] | None,
        typer.Option(help="Log file to read, - for standard input; default: all files in log/ in the home directory."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the original JSON lines.")] = False,
) -> None:
    """Show the log lines of one submission from the API and the workers, ordered by time.

    Related ids are included: a submission's request, and an X-Request-ID's submissions. To read logs of other hosts or
    of the systemd journal, use --file: journalctl -o cat -u 'sandbox*' | sandbox logs ID --file -
    """
    sources = file or _find_log_files()
    lines = [(source.stem, line) for source in sources for line in _read_log(source)]
    ids = _collect_related_ids(an_id, _filter_lines(lines, {an_id.partition(".")[0]}))
    about = [line for line in _filter_lines(lines, ids) if _is_about(line[1], ids)]
    found = sorted(about, key=lambda line: str(line[1].get("time", "")))
    if not found:
        fail(f"no line about {an_id} in {_describe_sources(sources)}")
    for source, line in found:
        typer.echo(json.dumps(line) if as_json else _format_log_line(source, line))


def _describe_sources(sources: list[Path]) -> str:
    if not sources:
        return "the home directory, which has no logs"
    folder = sources[0].parent
    return f"the {len(sources)} files of {folder}" if len(sources) > 3 else ", ".join(map(str, sources))


def _find_log_files() -> list[Path]:
    from sandbox.config import QueueSettings
    from sandbox.processes.up import get_log_folder

    folder = get_log_folder(read_settings(QueueSettings))
    if not folder.is_dir():
        say(f"{folder} does not exist: `sandbox up --detach` creates it; use --file to read other logs")
    return sorted(folder.glob("*.log"))


def _read_log(path: Path) -> list[bytes]:
    try:
        return sys.stdin.buffer.readlines() if str(path) == "-" else path.read_bytes().splitlines()
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")


def _filter_lines(lines: Iterable[tuple[str, bytes]], ids: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON lines that contain one of these ids. Parsing every line would be slow."""
    words = [an_id.encode() for an_id in ids]
    for source, line in lines:
        if (
            line.startswith(b"{")
            and any(word in line for word in words)
            and (found := _parse_log_line(line)) is not None
        ):
            yield source, found


def _parse_log_line(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:  # the incomplete last line of a log
        return None
    return found if isinstance(found, dict) else None


def _collect_related_ids(an_id: str, lines: Iterable[tuple[str, dict[str, Any]]]) -> set[str]:
    """Return the id and its related ids: a request's submissions, and a submission's request."""
    related = {an_id}
    for _, line in lines:
        meant = [name for name in ID_FIELDS if _matches_id(an_id, str(line.get(name, "")))]
        related |= {str(line[name]) for name in meant}
        if meant and "request" in line:
            related.add(str(line["request"]))
        if "request" in meant and "submission" in line:
            related.add(str(line["submission"]))
    return related


def _matches_id(an_id: str, full_id: str) -> bool:
    """Return whether `an_id` is the id or its beginning, as in `sandbox top`, with or without an item's number."""
    start, _, item = an_id.partition(".")
    if full_id == an_id or len(start) < MIN_ID_CHARS:
        return full_id == an_id
    return full_id.startswith(start) and (not item or full_id.endswith(f".{item}"))


def _is_about(line: dict[str, Any], ids: set[str]) -> bool:
    """Return True if a line is about one of the ids. Of a request's submissions, include only those asked for."""
    if "submission" in line:
        return bool(ids & {str(line["submission"]), str(line.get("item"))})
    return bool(ids & {str(line[name]) for name in ID_FIELDS if name in line})


def _format_log_line(source: str, line: dict[str, Any]) -> str:
    more = " ".join(f"{name}={value}" for name, value in line.items() if name not in LEADING_FIELDS)
    traceback = f"\n{line['traceback']}" if "traceback" in line else ""
    return (
        f"{line.get('time', '')} {source:<10} {line.get('level', ''):<7} {line.get('message', '')}  {more}{traceback}"
    )
