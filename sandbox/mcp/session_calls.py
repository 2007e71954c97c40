"""The tools of sessions: boxes that keep an interpreter or a shell, and files, between calls."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, Field

from sandbox.client.call_text import shorten
from sandbox.mcp.program_calls import MAX_OUTPUT_CHARS, EntryPoint, TextFiles, encode_files
from sandbox.mcp.service_connection import ServiceConnection
from sandbox.schema import VerifyResult
from sandbox.schema.sessions import CallResult, SessionFile, SessionInfo

SessionId = Annotated[str, Field(description="the id that open_session returned")]
Path = Annotated[str, Field(description="a path relative to the work directory")]
Encoding = Annotated[Literal["text", "base64"], Field(description="text for UTF-8, base64 for any bytes")]
CallTime = Annotated[float, Field(description="CPU seconds for this call; the session goes on after a timeout")]
IMAGE_TYPES = ("image/png", "image/jpeg")


class FileContent(BaseModel):
    """A file of a session. `encoding` is base64 if the content is not UTF-8 text."""

    path: str
    encoding: Literal["text", "base64"]
    content: str


class SessionCalls:
    """Tools on sessions. Each takes the session's id, so any number of sessions can be open."""

    def __init__(self, service: ServiceConnection) -> None:
        self._service = service

    def register(self, server: MCPServer) -> None:
        for tool in (
            self.open_session,
            self.list_sessions,
            self.execute_in_session,
            self.interrupt_session,
            self.fork_session,
            self.verify_session,
            self.close_session,
            self.list_files,
            self.read_file,
            self.write_file,
            self.delete_file,
        ):
            server.add_tool(tool)

    async def open_session(
        self,
        language: Literal["python", "bash"] = "python",
        files: TextFiles | None = None,
        idle_ttl_s: Annotated[float, Field(description="seconds without a call until the session ends")] = 600.0,
        memory_mb: Annotated[int, Field(description="MiB of the session's processes and files")] = 512,
    ) -> SessionInfo:
        """Open a session, which keeps variables and files between calls. Returns its id. Close it when you are done."""
        fields = {
            "language": language,
            "files": encode_files(files),
            "idle_ttl_s": idle_ttl_s,
            "limits": {"memory_mb": memory_mb},
        }
        async with self._service.connect() as client:
            session = await client.session(fields).open()
        self._service.remember(session.id)
        return session

    async def list_sessions(self) -> list[SessionInfo]:
        """List your open sessions, newest first."""
        async with self._service.connect() as client:
            return await client.sessions()

    async def execute_in_session(
        self,
        session_id: SessionId,
        code: Annotated[str, Field(description="source in the session's language")] = "",
        command: Annotated[str, Field(description="a bash command, instead of code")] = "",
        stdin: str = "",
        cpu_time_s: CallTime = 10.0,
    ) -> Annotated[CallToolResult, CallResult]:
        """Run code or a bash command in a session. Variables and files stay for the next call.

        Returns stdout, stderr, the value of the last expression, displayed images, and the exception if one was raised.
        """
        if bool(code) == bool(command):
            raise ToolError("give code or command, not both")
        limits = {"cpu_time_s": cpu_time_s}
        async with self._service.connect() as client:
            session = client.attach_session(session_id)
            if code:
                return _render_call(await session.execute(code, stdin=stdin, limits=limits))
            return _render_call(await session.command(command, stdin=stdin, limits=limits))

    async def interrupt_session(self, session_id: SessionId) -> bool:
        """Interrupt the call that runs in a session, as Ctrl-C does. Returns whether one was running."""
        async with self._service.connect() as client:
            return await client.attach_session(session_id).interrupt()

    async def fork_session(
        self,
        session_id: SessionId,
        count: Annotated[int, Field(description="number of copies")] = 1,
    ) -> list[str]:
        """Copy a session with its variables and files. Returns the ids of the copies, which are independent."""
        async with self._service.connect() as client:
            forks = [fork.id for fork in await client.attach_session(session_id).fork(count)]
        self._service.remember(*forks)
        return forks

    async def verify_session(
        self,
        session_id: SessionId,
        tests: Annotated[list[dict[str, Any]], Field(description="tests as in verify; the session never sees them")],
        file: Annotated[str, Field(description="program to judge; default: all successful code of the session")] = "",
        language: str = "python",
        entry_point: EntryPoint = "",
    ) -> VerifyResult:
        """Judge what a session holds. The tests run in another box, on a copy of the session's files."""
        options: dict[str, Any] = {"language": language, "entry_point": entry_point}
        options |= {"file": file} if file else {}
        async with self._service.connect() as client:
            return await client.attach_session(session_id).verify(tests, **options)

    async def close_session(self, session_id: SessionId) -> str:
        """Close a session and remove everything in it."""
        async with self._service.connect() as client:
            session = client.attach_session(session_id)
            await session.describe()  # raises an error for an id that never existed
            await session.close()
        self._service.forget(session_id)
        return f"session {session_id} is closed"

    async def list_files(self, session_id: SessionId, path: Path = "") -> list[SessionFile]:
        """List a directory of a session, by default its work directory."""
        async with self._service.connect() as client:
            return await client.attach_session(session_id).list_files(path)

    async def read_file(self, session_id: SessionId, path: Path) -> FileContent:
        """Read a file of a session."""
        async with self._service.connect() as client:
            content = await client.attach_session(session_id).get_file(path)
        try:
            return FileContent(path=path, encoding="text", content=content.decode())
        except UnicodeDecodeError:
            return FileContent(path=path, encoding="base64", content=b64encode(content).decode())

    async def write_file(self, session_id: SessionId, path: Path, content: str, encoding: Encoding = "text") -> str:
        """Write a file of a session; missing directories are created."""
        try:
            data = content.encode() if encoding == "text" else b64decode(content, validate=True)
        except Base64Error as error:
            raise ToolError(f"content is not base64: {error}") from error
        async with self._service.connect() as client:
            await client.attach_session(session_id).put_file(path, data)
        return f"wrote {len(data)} bytes to {path}"

    async def delete_file(self, session_id: SessionId, path: Path) -> str:
        """Delete a file of a session, or a directory with everything in it."""
        async with self._service.connect() as client:
            await client.attach_session(session_id).delete_file(path)
        return f"deleted {path}"


def _render_call(result: CallResult) -> CallToolResult:
    """Render a call's result, with its images as images and without them in the text."""
    shown = [*([result.result] if result.result else []), *result.displays]
    images: list[ContentBlock] = [
        ImageContent(type="image", data=data, mime_type=kind)
        for display in shown
        for kind, data in display.items()
        if kind in IMAGE_TYPES
    ]
    short = result.model_copy(
        update={
            "stdout": shorten(result.stdout, MAX_OUTPUT_CHARS),
            "stderr": shorten(result.stderr, MAX_OUTPUT_CHARS),
            "result": _drop_images(result.result) if result.result else None,
            "displays": [_drop_images(display) for display in result.displays],
        }
    )
    text = short.model_dump_json(exclude_defaults=True)
    content = [TextContent(type="text", text=text), *images]
    return CallToolResult(content=content, structured_content=short.model_dump(mode="json"))


def _drop_images(display: dict[str, str]) -> dict[str, str]:
    return {kind: shorten(data, MAX_OUTPUT_CHARS) for kind, data in display.items() if kind not in IMAGE_TYPES}
