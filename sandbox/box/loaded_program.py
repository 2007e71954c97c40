"""The program loaded in a box, which is sent to the supervisor with its first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.box.connection import Connection
from sandbox.runner import frames, messages
from sandbox.runner.contract import Program
from sandbox.runner.messages import CompileRequest, ProgramMessage, RunRequest


class LoadedProgram:
    """The program loaded in one box. `size_mb` is the memory in MiB that its compiled files occupy in the box."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sent = False
        self.size_mb = 0
        self._last_request: tuple[CompileRequest | RunRequest, int] | None = None
        self._last_header = b""

    def start(
        self,
        connection: Connection,
        request: CompileRequest | RunRequest,
        streams: Sequence[int],
        copied: Sequence[int],
        files: Mapping[str, bytes],
        allowance: Sequence[int],
    ) -> None:
        """Send a request, together with the program if the supervisor does not already have it.

        `copied` and `allowance` hold at most one descriptor each. The one in `copied` receives the fetched files; the
        one in `allowance` is the pipe that grants CPU time. Raises BoxError, or FrameTooLarge, in which case nothing
        was sent.
        """
        lent: list[int] = []
        payload, program = b"", None
        parts: frames.PartIndex = ()
        try:
            if not self.sent:
                payload, program = self._pack(lent)
            if files:
                descriptor, parts = frames.pack_memory_file("files", files)
                lent.append(descriptor)
            header: Mapping[str, Any] | bytes
            if program is None and not files:
                header = self._encode_header(request, len(streams))
            else:
                header = messages.build_header(request, len(streams), program, parts)
            connection.send(header, [*streams, *copied, *lent, *allowance], payload)
            self.sent = True
        finally:
            frames.close_descriptors(lent)

    def _encode_header(self, request: CompileRequest | RunRequest, streams: int) -> bytes:
        """Return the encoded header of a request, which is the same for most tests of a program."""
        if self._last_request != (request, streams):
            self._last_header = frames.encode_header(messages.build_header(request, streams, None))
            self._last_request = request, streams
        return self._last_header

    def _pack(self, descriptors: list[int]) -> tuple[bytes, ProgramMessage]:
        """Return the payload and the message that carry the program.

        A program too large for the payload is written to a memfd, whose descriptor is appended to `descriptors`.
        """
        program = self.program
        parts = {program.source_name: program.source}
        inline = frames.pack_inline(parts)
        if inline is None:
            descriptor, index = frames.pack_memory_file("program", parts)
            descriptors.append(descriptor)
            payload = b""
        else:
            payload, index = inline
        message = ProgramMessage(
            program.compile_command,
            program.run_command,
            program.keep,
            dict(program.environment),
            index,
            inline=inline is not None,
        )
        return payload, message
