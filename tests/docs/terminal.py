"""A shell on a pseudo-terminal that gets typed keys and records what it shows, in asciinema's format (version 2)."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

COLUMNS, LINES = 100, 24
PROMPT = "$ "
KEY_DELAY_S = 0.06
READ_BYTES = 65_536


class Terminal:
    """A bash in a folder. `screen` has what it shows now."""

    def __init__(self, file: int) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)
        self._file = file
        self._began = time.monotonic()
        self._events: list[tuple[float, str, str]] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    @property
    def has_prompt(self) -> bool:
        """True if the shell waits for a command."""
        return self.text.endswith("\n" + PROMPT.rstrip()) or self.text == PROMPT.rstrip()

    def run(self, command: str, timeout_s: float = 120.0) -> None:
        """Type a command, and wait until it has ended."""
        self.start(command)
        self.wait(lambda: self.has_prompt, timeout_s)
        self.wait(lambda: False, 0.8)

    def start(self, command: str) -> None:
        """Type a command without waiting for its end."""
        for key in command:
            self.press(key)
        self.wait(lambda: False, 0.4)
        self.press("\r")
        self.wait(lambda: not self.has_prompt, 2.0)

    def press(self, key: str) -> None:
        os.write(self._file, key.encode())
        self.wait(lambda: False, KEY_DELAY_S)

    def interrupt(self) -> None:
        """Press Ctrl-C. It leaves nothing on the screen, so a marker in the recording names it."""
        self._add_event("m", "Ctrl-C")
        self.wait(lambda: False, 0.6)
        self.press("\x03")

    def wait(self, reached: Callable[[], bool], timeout_s: float) -> bool:
        """Read output until the condition holds. Returns False if it does not within the time."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if select.select([self._file], [], [], left)[0]:
                self._read()
        return True

    def _read(self) -> None:
        text = self._decoder.decode(os.read(self._file, READ_BYTES))
        self._add_event("o", text)
        self._stream.feed(text)

    def _add_event(self, kind: str, text: str) -> None:
        self._events.append((round(time.monotonic() - self._began, 3), kind, text))

    def format_cast(self, title: str) -> str:
        """Return the recording as an asciicast (https://docs.asciinema.org/manual/asciicast/v2/)."""
        header = {"version": 2, "width": COLUMNS, "height": LINES, "title": title}
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [header, *self._events])


@contextmanager
def open_terminal(folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Start bash in a folder, without anybody's configuration. Ends it, and what it started in the foreground."""
    process, file = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile"], dict(environment))
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    terminal = Terminal(file)
    try:
        terminal.wait(lambda: terminal.has_prompt, 10.0)
        yield terminal
    finally:
        os.kill(process, signal.SIGHUP)
        os.close(file)
        os.waitpid(process, 0)
