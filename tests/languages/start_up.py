"""Measure the start-up cost of languages: `python -m tests.languages.start_up [LANGUAGE...]`.

Prints the rows of the table in `sandbox/docs/languages.md`. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.engine_client import open_engine_client
from sandbox.box.docker.images import ensure_images
from sandbox.config import WorkerSettings
from sandbox.languages import Language
from sandbox.runner.contract import Run, Verdict
from tests.languages import self_tests

SLOT = 91
RUNS = 21
BUILDS = 3


def measure_row(box: Box, language: Language) -> str:
    """Return a language's row: median times of runs and builds of a one-line program, in milliseconds."""
    program = language.build_program(self_tests.read_source(language.name, Verdict.WRONG_ANSWER))
    outcomes = [outcome for _ in range(BUILDS) if (outcome := box.load(program)) is not None]
    assert all(outcome.ended_well for outcome in outcomes), outcomes
    builds = [outcome.usage for outcome in outcomes]
    runs = [box.run(Run()).usage for _ in range(RUNS)]
    names = ", ".join(f"`{alias}`" for alias in language.aliases) or "-"
    elapsed = _format_median_ms([usage.wall_time_s for usage in runs])
    cpu = _format_median_ms([usage.cpu_time_s for usage in runs])
    build = _format_median_ms([usage.cpu_time_s for usage in builds]) if builds else "-"
    return f"| `{language.name}` | {language.version} | {language.image} | {names} | {elapsed} | {cpu} | {build} |"


def _format_median_ms(seconds: list[float]) -> str:
    median = statistics.median(seconds) * 1000
    return f"{median:.1f}" if median < 10 else f"{median:.0f}"


def main() -> None:
    wanted = [languages.get_language(name) for name in sys.argv[1:]] or list(languages.load_languages().values())
    with open_engine_client() as client:
        ensure_images(client, dict.fromkeys(language.image for language in wanted), lambda line: None)
    with tempfile.TemporaryDirectory(prefix="sandbox-start-up-") as home:
        engine = DockerEngine(WorkerSettings(home=Path(home)), SLOT)
        boxes = {image: Box(engine.start(image)) for image in dict.fromkeys(language.image for language in wanted)}
        for language in wanted:
            sys.stdout.write(measure_row(boxes[language.image], language) + "\n")
            sys.stdout.flush()
        engine.close()


if __name__ == "__main__":
    main()
