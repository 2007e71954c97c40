"""Draws a recorded terminal session as an SVG that plays in a loop, for pages that show images.

Theory of operation. A terminal emulator reads the recording, and each line of the screen is drawn once for each text
that it has, with a CSS animation that shows it during that time. Readers who prefer no motion see the last screen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape

import pyte

FRAME_S = 0.1  # events closer than this are one frame
IDLE_LIMIT_S = 1.2
MARKER_S = 2.0
LAST_FRAME_S = 4.0
CHARACTER_PX, LINE_PX, MARGIN_PX = 8.4, 19, 14
BACKGROUND, FOREGROUND = "#161b22", "#d6dde6"
COLORS = {
    "red": "#ff7b72",
    "green": "#56d364",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#56d4dd",
    "white": "#d6dde6",
    "black": "#484f58",
}


Event = tuple[float, str, str]  # seconds, kind, text


class Run(NamedTuple):
    """Adjacent characters of one style."""

    column: int
    text: str
    color: str
    bold: bool


Row = tuple[Run, ...]


class Span(NamedTuple):
    """A row that a line of the screen shows from a time until another, in seconds."""

    line: int
    start: float
    end: float
    row: Row


def render_svg(cast: str) -> str:
    """Return the SVG of a recording."""
    header, *recorded = map(json.loads, cast.splitlines())
    events = list(_shorten_pauses(recorded))
    frames = _play(header["width"], header["height"], events)
    length = frames[-1][0] + LAST_FRAME_S
    spans = [span for line in range(header["height"]) for span in _find_spans(line, frames, length)]
    used = max(span.line for span in spans) + 1
    for at, kind, text in events:
        if kind == "m":  # a key that leaves nothing on the screen is shown at the right
            run = Run(header["width"] - len(text) - 1, text, COLORS["brown"], True)
            spans.append(Span(used - 1, at, at + MARKER_S, (run,)))
    width, height = header["width"] * CHARACTER_PX + 2 * MARGIN_PX, used * LINE_PX + 2 * MARGIN_PX
    style = (
        f"text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:{FOREGROUND};"
        f"white-space:pre;visibility:hidden;animation:{length:.1f}s step-end infinite}}"
        "@media(prefers-reduced-motion:reduce){text{animation:none!important}.last{visibility:visible}}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(header['title'])}</title>",
        f"<style>{style}{''.join(_draw_keyframes(number, span, length) for number, span in enumerate(spans))}</style>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        *(_draw_span(number, span, length) for number, span in enumerate(spans)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _shorten_pauses(events: list[Event]) -> Iterator[Event]:
    now, before = 0.0, 0.0
    for at, kind, text in events:
        now += min(at - before, IDLE_LIMIT_S)
        before = at
        yield now, kind, text


def _play(width: int, height: int, events: list[Event]) -> list[tuple[float, list[Row]]]:
    """Return the screens and the times at which they appear."""
    screen = pyte.Screen(width, height)
    stream = pyte.Stream(screen)
    frames: list[tuple[float, list[Row]]] = []
    for at, kind, text in events:
        if kind != "o":
            continue
        stream.feed(text)
        rows = [_read_row(screen, line) for line in range(height)]
        if frames and at - frames[-1][0] < FRAME_S:
            frames[-1] = (frames[-1][0], rows)
        else:
            frames.append((at, rows))
    return frames


def _read_row(screen: pyte.Screen, line: int) -> Row:
    cells = [screen.buffer[line][column] for column in range(screen.columns)]
    runs, column = [], 0
    for (color, bold), group in groupby(cells, lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in group)
        if text.strip():
            start = len(text) - len(text.lstrip())
            runs.append(Run(column + start, text.strip(), _find_color(color), bold))
        column += len(text)
    return tuple(runs)


def _find_color(name: str) -> str:
    """Return a color of the palette, or the one of 256 that the emulator names by its hexadecimal digits."""
    name = name.removeprefix("bright")
    return COLORS.get(name, "" if name == "default" else f"#{name}")


def _find_spans(line: int, frames: list[tuple[float, list[Row]]], length: float) -> list[Span]:
    spans = []
    ends = [start for start, _ in frames[1:]] + [length]
    shown = [(rows[line], start, end) for (start, rows), end in zip(frames, ends, strict=True)]
    for row, group in groupby(shown, lambda each: each[0]):
        times = list(group)
        if row:
            spans.append(Span(line, times[0][1], times[-1][2], row))
    return spans


def _draw_keyframes(number: int, span: Span, length: float) -> str:
    start, end = (100 * at / length for at in (span.start, span.end))
    steps = f"{start:.2f}%{{visibility:visible}}" + (f"{end:.2f}%{{visibility:hidden}}" if end < 100 else "")
    return f"@keyframes k{number}{{0%{{visibility:hidden}}{steps}}}"


def _draw_span(number: int, span: Span, length: float) -> str:
    y = MARGIN_PX + span.line * LINE_PX + 14
    last = ' class="last"' if span.end >= length else ""
    return f'<text y="{y}"{last} style="animation-name:k{number}">{"".join(map(_draw_run, span.row))}</text>'


def _draw_run(run: Run) -> str:
    """Draw a run with a fixed width, so that columns align in every font."""
    x = MARGIN_PX + run.column * CHARACTER_PX
    color = f' fill="{run.color}"' if run.color else ""
    bold = ' font-weight="bold"' if run.bold else ""
    width = f' textLength="{len(run.text) * CHARACTER_PX:.0f}"' if len(run.text) > 1 else ""
    return f'<tspan x="{x:.0f}"{width}{color}{bold}>{escape(run.text)}</tspan>'
