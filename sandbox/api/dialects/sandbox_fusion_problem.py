"""Build the problems that SandboxFusion's judge runs: a completion's program with its tests, by input or by call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.api.dialects.dialect import resolve_language
from sandbox.api.dialects.sandbox_fusion_judge import JudgeProblem, SubmitRequest
from sandbox.languages import get_language
from sandbox.rewards import continuation, preamble
from sandbox.rewards.expected_call import ExpectedCall, build_function_test
from sandbox.rewards.extraction import Extraction, extract
from sandbox.schema import MAX_CODE_CHARS

LANGUAGE_ALIASES = {"nodejs": "javascript"}
STDIO_CHECKER = {"type": "sandbox-fusion"}
# The peer's default time limits of one run: for LiveCodeBench, for compiled languages, and for the others.
LIVECODEBENCH_TIMEOUT_S = 6.0
COMPILED_TIMEOUT_S = 10.0
TIMEOUT_S = 20.0


def add_php_tag(code: str) -> str:
    """Add PHP's opening tag to source that lacks it, as the peer does."""
    return code if "<?" in code else f"<?php\n{code}"


def build_stdio_problem(
    body: SubmitRequest,
    pairs: Sequence[tuple[Any, Any]],
    checker: dict[str, Any],
    imports: str = "",
    run_timeout_s: float = 0.0,
) -> JudgeProblem:
    language = select_language(body)
    code = extract_code(body.completion, language)
    texts = [(_join_lines(given), _join_lines(wanted)) for given, wanted in pairs]
    compiled = bool(get_language(language).compile_command)
    return JudgeProblem(
        extracted_code=code,
        code=_build_program(code, language, imports),
        language=language,
        tests=[{"stdin": given, "expected": wanted} for given, wanted in texts],
        shown_tests=[{"input": {"stdin": given}, "output": {"stdout": wanted}} for given, wanted in texts],
        checker=checker,
        run_timeout_s=run_timeout_s or (COMPILED_TIMEOUT_S if compiled else TIMEOUT_S),
    )


def _build_program(code: str, language: str, imports: str) -> str:
    if language == "python":
        return preamble.join_parts(imports, code)
    return add_php_tag(code) if language == "php" else code


def build_function_problem(
    body: SubmitRequest, name: str, calls: Sequence[ExpectedCall], run_timeout_s: float
) -> JudgeProblem:
    code = extract_code(body.completion, select_language(body))
    return JudgeProblem(
        extracted_code=code,
        code=preamble.join_parts(preamble.build_livecodebench_preamble(preamble.SANDBOX_FUSION_RECURSION_LIMIT), code),
        language=select_language(body),
        tests=[build_function_test(call) for call in calls],
        shown_tests=[{"fn_name": name, "input": call.raw_arguments, "output": call.expected} for call in calls],
        checker=STDIO_CHECKER,
        run_timeout_s=run_timeout_s,
        entry_point=f"Solution.{name}" if "class Solution" in code else name,
    )


def extract_code(completion: str, language: str) -> str:
    """Return the first code block in the language.

    If the text has no fence, return its definitions or, without any, the text. If its first fence is a closing one,
    return the text.
    """
    text, fence, rest = completion.partition("```")
    if not fence and len(text) > MAX_CODE_CHARS:
        return text  # too long for a program: building the submission reports it
    if fence and _is_closing_fence(text, rest, language):
        return text
    answer = extract(completion, language, Extraction(which="first", bare="raw"))
    if answer is not None:
        return answer.code
    return "" if fence else continuation.find_definitions(text) or text


def _is_closing_fence(text: str, rest: str, language: str) -> bool:
    """Return True if the first fence closes a block that the prompt opened, rather than opening a new one."""
    tag, _, after = rest.partition("\n")
    if tag.strip() or "```" in after or not text.strip():
        return False
    if language != "python":
        return not after.strip()
    return continuation.parses(text) and not (after.strip() and continuation.parses(after))


def select_language(body: SubmitRequest) -> str:
    return resolve_language(body.config.language or "python", LANGUAGE_ALIASES)


def _join_lines(value: Any) -> str:
    """Return an input or output as text. Some data sets store it as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
