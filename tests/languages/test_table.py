"""The table of languages agrees with its documentation and the images, and what is derived from it is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox import languages
from sandbox.box.docker.images import IMAGES, ON_DEMAND_IMAGES
from sandbox.box.outcome import reclassify_out_of_memory
from sandbox.runner.contract import Limits, Outcome, Status

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "sandbox" / "docs" / "languages.md"
MILLISECONDS = re.compile(r"\d+(\.\d)?")


def read_rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of the page's table with this first heading."""
    lines = iter(PAGE.read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {heading} "):
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_tells_of_every_language_what_the_table_says() -> None:
    documented = {name.strip("`"): cells for name, *cells in read_rows("language")}
    assert list(documented) == list(languages.load_languages())
    for name, (version, image, aliases, elapsed, cpu, build) in documented.items():
        language = languages.get_language(name)
        assert (version, image) == (language.version, language.image)
        assert aliases == (", ".join(f"`{alias}`" for alias in language.aliases) or "-")
        assert MILLISECONDS.fullmatch(elapsed)
        assert MILLISECONDS.fullmatch(cpu)
        assert bool(MILLISECONDS.fullmatch(build)) == bool(language.compile_command)


def test_the_page_tells_of_every_image() -> None:
    assert {image for image, *_ in read_rows("image")} == {*IMAGES, *ON_DEMAND_IMAGES}


@pytest.mark.parametrize("image", [*IMAGES, *ON_DEMAND_IMAGES])
def test_the_images_begin_and_end_alike(image: str) -> None:
    """They share layers this way, and a fix of one applies to all."""
    dockerfile, python = ((ROOT / "images" / name / "Dockerfile").read_text() for name in (image, "python"))
    begins = python[python.index("ARG BASE") : python.index("# Libraries.")]
    ends = python[python.index("# The runner comes last") :]
    assert begins in dockerfile
    assert dockerfile.endswith(ends)


def test_every_image_has_a_language() -> None:
    assert {language.image for language in languages.load_languages().values()} == {*IMAGES, *ON_DEMAND_IMAGES}


@pytest.mark.parametrize("name", ["cpp", "cpp17", "cpp20"])
def test_every_cpp_is_compiled_with_the_options_of_its_precompiled_header(name: str) -> None:
    command = languages.get_language(name).compile_command
    (standard,) = (part.removeprefix("-std=") for part in command if part.startswith("-std="))
    assert command == ("g++", "-O2", f"-std={standard}", "-pipe", "-fuse-ld=gold", "-w", "-o", "main", "main.cpp")
    dockerfile = (ROOT / "images/cpp/Dockerfile").read_text()
    (standards,) = re.findall(r"for standard in (.+);", dockerfile)
    assert standard in standards.split()


def test_the_memory_limit_is_filled_into_commands_that_ask_for_it() -> None:
    java = languages.get_language("java").build_program("")
    assert "-XX:MaxRAM=300m" in java.fill_memory_limit(Limits(memory_mb=300))
    assert languages.get_language("go").build_program("").fill_memory_limit(Limits()) == ()


@pytest.mark.parametrize(
    ("status", "stderr", "expected"),
    [
        (Status.RUNTIME_ERROR, b"Exception: OUT of memory\n", Status.MEMORY_LIMIT_EXCEEDED),
        (Status.RUNTIME_ERROR, b"Exception: no such element\n", Status.RUNTIME_ERROR),
        (Status.OK, b"OUT of memory, but caught\n", Status.OK),
        (Status.TIME_LIMIT_EXCEEDED, b"OUT of memory\n", Status.TIME_LIMIT_EXCEEDED),
    ],
)
def test_a_runtime_s_own_words_tell_that_memory_ran_out(status: Status, stderr: bytes, expected: Status) -> None:
    outcome = Outcome(status, exit_code=1, stderr=stderr)
    assert reclassify_out_of_memory(outcome, (b"heap overflow", b"OUT of memory")).status is expected
    assert reclassify_out_of_memory(outcome, ()).status is status


LIBRARIES = """
    numpy scipy.linalg scipy.optimize scipy.sparse.csgraph scipy.spatial scipy.stats scipy.signal pandas sklearn.cluster
    sympy mpmath gmpy2 networkx sortedcontainers sortedcollections more_itertools bitarray intervaltree pygtrie bidict
    frozendict pyrsistent toolz cachetools attr pydantic typing_extensions dateutil pytz regex Levenshtein simplejson
    yaml tabulate tqdm psutil requests bs4 z3 pytest hypothesis
""".split()  # noqa: SIM905 - a list of words reads best as words


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_python_has_the_libraries_the_page_names_and_starts_as_without_them(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> None:
    check = (
        f"import importlib, pathlib, shutil\nfor name in {LIBRARIES!r}: importlib.import_module(name)\n"
        "assert not list(pathlib.Path('/usr').rglob('*.pth')), 'a .pth file slows down every start'\n"
        "assert not shutil.which('gcc'), 'a compiler came along'\nprint('well')"
    )
    command = ["python3", "-c", check]
    output = docker_client.containers.run(images["python"], command, network_mode="none", read_only=True, remove=True)
    assert output == b"well\n"
