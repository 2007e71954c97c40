"""The tools `execute` and `verify`, and the resources that describe languages."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import ToolAnnotations
from pydantic import Field

from sandbox.client.call_text import shorten
from sandbox.mcp.service_connection import ServiceConnection
from sandbox.schema import ExecuteResult, LanguageInfo, VerifyResult

LANGUAGES_URI = "sandbox://languages"
JSON_TYPE = "application/json"
MAX_OUTPUT_CHARS = 20_000

Language = Annotated[str, Field(description=f"a name or an alias from the resource {LANGUAGES_URI}, such as python")]
Code = Annotated[str, Field(description="the complete program")]
TextFiles = Annotated[dict[str, str], Field(description="text files in the program's folder, by relative path")]
CpuTime = Annotated[float, Field(description="CPU seconds that the program may use")]
Memory = Annotated[int, Field(description="MiB that the program may use")]
Tests = Annotated[
    list[dict[str, Any]],
    Field(
        description='tests: {"stdin": ..., "expected": ...} for programs; {"args": [...], "expected": ...} with'
        ' entry_point, {"assert": "assert f(2) == 4"} or {"pytest": "..."} for Python functions'
    ),
]
Checker = Annotated[
    dict[str, Any] | None, Field(description='how outputs are compared, such as {"type": "exact"}; default: by tokens')
]
EntryPoint = Annotated[str, Field(description="name of the function that tests with args call")]


class ProgramCalls:
    """Tools that run or judge one program in a fresh box, without any state."""

    def __init__(self, service: ServiceConnection) -> None:
        self._service = service

    def register(self, server: MCPServer) -> None:
        stateless = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        server.add_tool(self.execute, annotations=stateless)
        server.add_tool(self.verify, annotations=stateless)
        server.resource(LANGUAGES_URI, name="languages", mime_type=JSON_TYPE)(self.list_languages)
        server.resource(f"{LANGUAGES_URI}/{{name}}", name="language", mime_type=JSON_TYPE)(self.describe_language)

    async def execute(
        self,
        language: Language,
        code: Code,
        stdin: str = "",
        arguments: list[str] | None = None,
        files: TextFiles | None = None,
        cpu_time_s: CpuTime = 10.0,
        memory_mb: Memory = 512,
    ) -> ExecuteResult:
        """Run a program once in a fresh box without network. Returns its status, stdout, stderr and exit code."""
        request = {
            "language": language,
            "code": code,
            "stdin": stdin,
            "args": arguments or [],
            "files": encode_files(files),
            "limits": {"cpu_time_s": cpu_time_s, "memory_mb": memory_mb},
        }
        async with self._service.connect() as client:
            result = await client.execute(request)
        return result.model_copy(
            update={
                "stdout": shorten(result.stdout, MAX_OUTPUT_CHARS),
                "stderr": shorten(result.stderr, MAX_OUTPUT_CHARS),
            }
        )

    async def verify(
        self,
        language: Language,
        code: Code,
        tests: Tests,
        entry_point: EntryPoint = "",
        checker: Checker = None,
        cpu_time_s: CpuTime = 10.0,
        memory_mb: Memory = 512,
    ) -> VerifyResult:
        """Judge a program with tests. Returns the verdict, and a verdict per test."""
        request: dict[str, Any] = {
            "language": language,
            "code": code,
            "tests": tests,
            "limits": {"cpu_time_s": cpu_time_s, "memory_mb": memory_mb},
        }
        request |= {"entry_point": entry_point} if entry_point else {}
        request |= {"checker": checker} if checker else {}
        async with self._service.connect() as client:
            return await client.verify(request)

    async def list_languages(self) -> str:
        """The languages of the service: names, versions, aliases, and whether a worker has them."""
        return json.dumps([language.model_dump(mode="json") for language in await self._get_languages()])

    async def describe_language(self, name: str) -> str:
        """One language, by its name or an alias."""
        for language in await self._get_languages():
            if name.lower() in {language.name, *language.aliases}:
                return language.model_dump_json()
        raise ResourceNotFoundError(f"there is no language {name[:64]!r}")

    async def _get_languages(self) -> list[LanguageInfo]:
        async with self._service.connect(ResourceError) as client:
            return await client.languages()


def encode_files(files: dict[str, str] | None) -> dict[str, str]:
    """Encode text files as the REST API expects them."""
    return {path: b64encode(text.encode()).decode() for path, text in (files or {}).items()}
