"""A session: a box that keeps an interpreter or a shell, and files, between calls.

Generated from `aio_session.py` by `python -m tests.client.generate_sync`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sandbox.client import session_calls
from sandbox.client.protocol import ApiCall
from sandbox.client.streams import JobEvent

if TYPE_CHECKING:
    from sandbox.schema import VerifyResult
    from sandbox.schema.sessions import CallResult, SessionFile, SessionInfo, SessionRequest


Answer = TypeVar("Answer")


class Send(Protocol):
    """Sends a call with the client's retries, and returns its answer."""

    def __call__(self, call: ApiCall[Answer]) -> Answer: ...


class Session:
    """A session. As a context manager, it opens on entry and closes on exit.

    Each call has a number, so the client can repeat a call after a lost answer, and the code still runs once. Calls
    raise `errors.SessionEnded` once the session has ended, with the reason. `sequence` is the number of the latest call
    of an open session; None means that the client asks the service for it.
    """

    def __init__(
        self,
        send: Send,
        read_stream: Callable[[session_calls.CallStream], Iterator[JobEvent]],
        request: SessionRequest | Mapping[str, Any] | None = None,
        session_id: str = "",
        sequence: int | None = None,
    ) -> None:
        self._send = send
        self._read_stream = read_stream
        self._request = request
        self._id = session_id
        self._sequence = sequence if session_id else 0

    @property
    def id(self) -> str:
        """The id of the open session, or an empty string before it is open."""
        return self._id

    def __enter__(self) -> Session:
        if not self._id:
            self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> SessionInfo:
        """Open the session; wait up to the request's `wait_s` for a free place."""
        session = self._send(session_calls.build_open_call(self._request or {}))
        self._id = session.id
        return session

    def set_ttl(self, ttl_s: float) -> SessionInfo:
        """Let the session end `ttl_s` seconds from now."""
        return self._send(session_calls.build_update_call(self._id, ttl_s))

    def close(self) -> None:
        """Close the session and remove everything in it. Does nothing if the session has already ended."""
        self._send(session_calls.build_close_call(self._id))

    def describe(self) -> SessionInfo:
        """Return the state of the session. For an hour after it ended, the state says why."""
        return self._send(session_calls.build_get_call(self._id))

    def execute(
        self,
        code: str,
        *,
        stdin: str = "",
        limits: Mapping[str, Any] | None = None,
        context: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> CallResult:
        """Run code in the session's language.

        `context` names a namespace of a Python session, and `variables` are environment variables of this call.
        """
        options = {name: value for name, value in {"context": context, "variables": variables}.items() if value}
        return self._call({"code": code, "stdin": stdin, **options}, limits)

    def command(self, command: str, *, stdin: str = "", limits: Mapping[str, Any] | None = None) -> CallResult:
        """Run a command of bash in the session's work directory."""
        return self._call({"command": command, "stdin": stdin}, limits)

    def stream(self, code: str, *, stdin: str = "", limits: Mapping[str, Any] | None = None) -> Iterator[JobEvent]:
        """Run code; yield its output as events `stdout`, `stderr` and `display`, and at the end `result`."""
        call = session_calls.CallStream(self._id, self._number_call({"code": code, "stdin": stdin}, limits))
        self._sequence = None  # unknown until the result arrives
        for event in self._read_stream(call):
            if event.event == "result":
                self._sequence = int(event.data["sequence"])
            yield event

    def interrupt(self) -> bool:
        """Interrupt the running call, as Ctrl-C does; return whether there was one."""
        answer = self._send(session_calls.build_interrupt_call(self._id))
        return answer.interrupted

    def fork(self, count: int = 1) -> list[Session]:
        """Copy the session, with its variables and files; return the copies."""
        answer = self._send(session_calls.build_fork_call(self._id, count))
        return [type(self)(self._send, self._read_stream, session_id=each, sequence=0) for each in answer.ids]

    def put_file(self, path: str, content: bytes) -> None:
        """Write a file below the work directory."""
        self._send(session_calls.build_file_call("PUT", self._id, path, type(None), content))

    def get_file(self, path: str) -> bytes:
        """Return the content of a file."""
        return self._send(session_calls.build_file_call("GET", self._id, path, bytes))

    def delete_file(self, path: str) -> None:
        """Delete a file, or a directory with everything in it."""
        self._send(session_calls.build_file_call("DELETE", self._id, path, type(None)))

    def list_files(self, path: str = "") -> list[SessionFile]:
        """List a directory, by default the work directory."""
        answer = self._send(session_calls.build_list_files_call(self._id, path))
        return answer.files

    def snapshot(self) -> bytes:
        """Return the files of the work directory as a tar archive."""
        return self._send(session_calls.build_archive_call("snapshot", self._id, bytes))

    def restore(self, archive: bytes) -> None:
        """Replace the files of the work directory with those of a tar archive."""
        self._send(session_calls.build_archive_call("restore", self._id, type(None), archive))

    def verify(self, tests: Sequence[Any], **options: Any) -> VerifyResult:
        """Judge what the session holds with tests that it never sees.

        `options` are the other fields of `schema.sessions.SessionVerifyRequest`, such as `file` and `hidden`.
        """
        return self._send(session_calls.build_verify_call(self._id, {"tests": tests, **options}))

    def _call(self, fields: dict[str, Any], limits: Mapping[str, Any] | None) -> CallResult:
        call = session_calls.build_execute_call(self._id, self._number_call(fields, limits))
        self._sequence = None  # unknown until the answer arrives
        result = self._send(call)
        self._sequence = result.sequence
        return result

    def _number_call(self, fields: dict[str, Any], limits: Mapping[str, Any] | None) -> dict[str, Any]:
        """Add the call's number; ask the service for the latest one if an answer was lost or others use the session."""
        if self._sequence is None:
            self._sequence = (self.describe()).calls or 0
        fields["sequence"] = self._sequence + 1
        if limits is not None:
            fields["limits"] = dict(limits)
        return fields
