"""The program that a box runs, and whether its supervisor has it yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.box.connection import Connection
from sandbox.runner import frames, messages
from sandbox.runner.contract import Program
from sandbox.runner.messages import CompileRequest, ProgramMessage, RunRequest


class LoadedProgram:
    """A program of one box. `size_mb` is the part of the box's memory that its compiled files take."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sent = False
        self.size_mb = 0

    def start(
        self,
        connection: Connection,
        request: CompileRequest | RunRequest,
        streams: Sequence[int],
        copied: Sequence[int],
        files: Mapping[str, bytes],
        allowance: Sequence[int],
    ) -> None:
        """Send a request, together with the program if the supervisor does not have it yet.

        `copied` and `allowance` hold at most one descriptor each: for the fetched files, and of the pipe that grants
        CPU time. Raises BoxError, or FrameTooLarge if nothing was sent.
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
            header = messages.build_header(request, len(streams), program, parts)
            connection.send(header, [*streams, *copied, *lent, *allowance], payload)
            self.sent = True
        finally:
            frames.close_descriptors(lent)

    def _pack(self, descriptors: list[int]) -> tuple[bytes, ProgramMessage]:
        """Return the payload and the message that send the program; add the descriptor of a memfd if it is large."""
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
