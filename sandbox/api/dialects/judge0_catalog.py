"""Judge0's catalog: the ids of its languages and statuses, and the configuration that it reports to clients."""

from __future__ import annotations

import signal
from typing import Any

from sandbox import languages as table
from sandbox.config import WebhookSettings
from sandbox.errors import BadRequest
from sandbox.runner.contract import Status
from sandbox.schema import MAX_ITEMS

# The release that these ids belong to; the SDK uses it to look up languages.
VERSION = "1.13.1"

# Several ids map to the same language, because the peer has one id per compiler version.
_LANGUAGE_BY_ID = {
    46: "bash",
    48: "c",
    49: "c",
    50: "c",
    51: "csharp",
    52: "cpp",
    53: "cpp",
    54: "cpp",
    56: "d",
    57: "elixir",
    58: "erlang",
    59: "fortran",
    60: "go",
    61: "haskell",
    62: "java",
    63: "javascript",
    64: "lua",
    65: "ocaml",
    67: "pascal",
    68: "php",
    71: "python",
    72: "ruby",
    73: "rust",
    74: "typescript",
    78: "kotlin",
    80: "r",
    81: "scala",
    85: "perl",
}

IN_QUEUE, PROCESSING, ACCEPTED, WRONG_ANSWER, TIME_LIMIT_EXCEEDED, COMPILATION_ERROR = range(1, 7)
SIGSEGV, SIGXFSZ, SIGFPE, SIGABRT, NZEC, OTHER, INTERNAL_ERROR = range(7, 14)

STATUSES = {
    IN_QUEUE: "In Queue",
    PROCESSING: "Processing",
    ACCEPTED: "Accepted",
    WRONG_ANSWER: "Wrong Answer",
    TIME_LIMIT_EXCEEDED: "Time Limit Exceeded",
    COMPILATION_ERROR: "Compilation Error",
    SIGSEGV: "Runtime Error (SIGSEGV)",
    SIGXFSZ: "Runtime Error (SIGXFSZ)",
    SIGFPE: "Runtime Error (SIGFPE)",
    SIGABRT: "Runtime Error (SIGABRT)",
    NZEC: "Runtime Error (NZEC)",
    OTHER: "Runtime Error (Other)",
    INTERNAL_ERROR: "Internal Error",
    14: "Exec Format Error",
}

_STATUS_BY_SIGNAL = {
    signal.SIGSEGV: SIGSEGV,
    signal.SIGXFSZ: SIGXFSZ,
    signal.SIGFPE: SIGFPE,
    signal.SIGABRT: SIGABRT,
}

# The peer's defaults, which also apply to submissions here.
DEFAULT_CPU_TIME_S = 5.0
DEFAULT_WALL_TIME_S = 10.0
DEFAULT_MEMORY_KB = 128_000


def build_config(settings: WebhookSettings) -> dict[str, Any]:
    """Build the response of `/config_info`. It reports callbacks only if the operator has configured a secret."""
    callbacks = bool(settings.webhook_secret)
    return {
        "allow_enable_network": False,
        "allow_enable_per_process_and_thread_memory_limit": False,
        "allow_enable_per_process_and_thread_time_limit": False,
        "allowed_languages_for_compile_options": [],
        "callbacks_max_tries": settings.webhook_tries if callbacks else 0,
        "callbacks_timeout": settings.webhook_timeout_s if callbacks else 0.0,
        "cpu_extra_time": 0.0,
        "cpu_time_limit": DEFAULT_CPU_TIME_S,
        "enable_additional_files": False,
        "enable_batched_submissions": True,
        "enable_callbacks": callbacks,
        "enable_command_line_arguments": True,
        "enable_compiler_options": False,
        "enable_network": False,
        "enable_per_process_and_thread_memory_limit": False,
        "enable_per_process_and_thread_time_limit": False,
        "enable_submission_delete": False,
        "enable_wait_result": True,
        "maintenance_mode": False,
        "max_cpu_extra_time": 0.0,
        "max_cpu_time_limit": 300.0,
        "max_extract_size": 0,
        "max_file_size": 1_048_576,
        "max_max_file_size": 1_048_576,
        "max_max_processes_and_or_threads": 512,
        "max_memory_limit": 16_777_216,
        "max_number_of_runs": 1,
        "max_processes_and_or_threads": 64,
        "max_queue_size": 100_000,
        "max_stack_limit": 16_777_216,
        "max_submission_batch_size": MAX_ITEMS,
        "max_wall_time_limit": 900.0,
        "memory_limit": DEFAULT_MEMORY_KB,
        "number_of_runs": 1,
        "redirect_stderr_to_stdout": False,
        "stack_limit": DEFAULT_MEMORY_KB,
        "submission_cache_duration": 0.0,
        "use_docs_as_homepage": False,
        "wall_time_limit": DEFAULT_WALL_TIME_S,
    }


def list_languages() -> list[dict[str, Any]]:
    """List the languages in the format of `/languages`: an id, and a name with the installed version."""
    known = table.load_languages()
    return [
        {"id": number, "name": f"{name} ({known[name].version})"}
        for number, name in _LANGUAGE_BY_ID.items()
        if name in known
    ]


def find_language(language_id: int) -> str:
    """Map one of the peer's language ids to the service's language name. Raises BadRequest."""
    name = _LANGUAGE_BY_ID.get(language_id, "")
    if name not in table.load_languages():
        raise BadRequest(f"language with id {language_id} doesn't exist", "language_id")
    return name


def map_status(status: Status, signal_number: int | None, accepted: bool) -> int:
    """Map the status of a run to the peer's. `accepted` matters only if the program ended normally."""
    match status:
        case Status.OK:
            return ACCEPTED if accepted else WRONG_ANSWER
        case Status.TIME_LIMIT_EXCEEDED:
            return TIME_LIMIT_EXCEEDED
        case Status.COMPILE_ERROR:
            return COMPILATION_ERROR
        case Status.OUTPUT_LIMIT_EXCEEDED:
            return SIGXFSZ
        case Status.RUNTIME_ERROR:
            return NZEC if signal_number is None else _STATUS_BY_SIGNAL.get(signal.Signals(signal_number), OTHER)
        case Status.MEMORY_LIMIT_EXCEEDED:
            return OTHER
        case Status.INTERNAL_ERROR:
            return INTERNAL_ERROR
