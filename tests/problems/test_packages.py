"""The project's own problem packages are sound, and `sandbox problem check` finds what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.api.app import create_app
from sandbox.cli import app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.problems.kattis.metadata import read_metadata
from sandbox.problems.kattis.submissions import read_submissions
from sandbox.schema.reward import Task
from sandbox.schema.wire import LimitsRequest
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.problems.test_kattis import BASE as KATTIS
from tests.problems.test_kattis import write as write_kattis
from tests.problems.test_polygon import write as write_polygon

PACKAGES = Path(__file__).with_name("packages")
NAMES = sorted(path.name for path in PACKAGES.iterdir())
MAX_FILE_BYTES = 10_000


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ApiSettings(home=tmp_path_factory.mktemp("api"))
    with serve_in_thread(create_app(settings, live_service)) as url:
        yield url


def run_check(folder: Path, url: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the package's report."""
    result = CliRunner().invoke(app, ["problem", "check", str(folder), "--json", "--url", url])
    assert result.stdout, result.stderr
    (report,) = json.loads(result.stdout)["packages"]
    return result.exit_code, report


def find_failures(report: dict[str, Any]) -> dict[str, str]:
    return {finding["name"]: finding["detail"] for finding in report["findings"] if not finding["passed"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_package_has_all_its_parts(name: str) -> None:
    package = PACKAGES / name
    programs = read_submissions(package, read_metadata(package)).programs
    folders = [Path(program.name).parts[1] for program in programs]
    assert folders.count("accepted") >= 3
    assert folders.count("wrong_answer") >= 5
    assert folders.count("time_limit_exceeded") >= 2
    for folder in set(folders):
        assert {each.language for each in programs if Path(each.name).parts[1] == folder} == {"python", "cpp"}
    for part in ("input_validators", "generators", "statement", "data/sample"):
        assert any((package / part).iterdir())
    assert all(path.stat().st_size < MAX_FILE_BYTES for path in package.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_sound(name: str, url: str) -> None:
    code, report = run_check(PACKAGES / name, url)
    assert find_failures(report) == {}
    assert code == 0
    quality = report["quality"]
    assert quality["tpr"] == quality["tnr"] == 1.0
    assert len(quality["smallest_suite"]["tests"]) < len(quality["tests"])


def test_a_check_finds_what_does_not_hold(tmp_path: Path, url: str) -> None:
    package = tmp_path / "no_neighbors"
    shutil.copytree(PACKAGES / "no_neighbors", package)
    shutil.rmtree(package / "submissions" / "time_limit_exceeded")
    programs = package / "submissions"
    shutil.copy(programs / "wrong_answer" / "odd_first.py", programs / "accepted" / "wrong.py")
    shutil.copy(programs / "accepted" / "even_first.py", programs / "wrong_answer" / "right.py")
    (programs / "accepted" / "broken.cpp").write_text("int main( {}\n")
    (package / "data" / "invalid_input" / "seven.in").write_text("7\n")
    (package / "data" / "secret").mkdir()
    (package / "data" / "secret" / "08-zero.in").write_text("08\n")
    (package / "data" / "secret" / "08-zero.ans").write_text("2 4 6 8 1 3 5 7\n")
    (package / "data" / "valid_output" / "other.out").write_text("1 2 3 4\n")
    code, report = run_check(package, url)
    assert code == 1
    failures = find_failures(report)
    assert "rejects secret/08-zero" in failures["input_validators/validate.py"]
    assert failures["invalid_input/seven"] == "every validator accepts it"
    assert failures["valid_output/other"] == "wrong_answer instead of accepted: 1 and 2 are neighbors"
    assert failures["submissions/accepted/wrong.py"].startswith("wrong_answer on ")
    assert failures["submissions/accepted/broken.cpp"].startswith("compile_error: ")
    assert failures["submissions/wrong_answer/right.py"] == "no test gives wrong_answer"
    assert "submissions/wrong_answer/repeats.cpp" not in failures


def test_an_imported_task_carries_validators_references_limits_and_quality(tmp_path: Path, url: str) -> None:
    files = {
        **KATTIS,
        "input_validators/check.py": "import sys\nsys.exit(42)\n",
        "submissions/wrong_answer/constant.cpp": "int main() { return 0; }\n",
        "submissions/wrong_answer/square.py": "print(2 * int(input()) ** 2)\n",
    }
    package, task_set = write_kattis(tmp_path / "double", files), tmp_path / "set.json"
    words = ["problem", "import", str(package), "--out", str(tmp_path / "tasks.jsonl"), "--set", str(task_set)]
    result = CliRunner().invoke(app, [*words, "--quality", "--url", url])
    assert result.exit_code == 0, result.output
    with Client(url) as client:
        tasks = json.loads(task_set.read_bytes())["tasks"]
        info = client.put_tasks(tasks)
        task = client.task(f"{info.id}/double")
    assert task == Task.model_validate(tasks["double"])
    assert (len(task.validators), task.limits) == (1, LimitsRequest(cpu_time_s=1.5, memory_mb=256))
    assert [program.code for program in task.references] == [KATTIS["submissions/accepted/right.py"]]
    assert task.quality is not None
    assert (task.quality.tpr, task.quality.tnr, task.quality.smallest_suite) == (1.0, 1.0, [1])


def test_no_quality_is_written_if_a_program_could_not_be_judged(tmp_path: Path, url: str) -> None:
    crash = "import sys\nright = sys.stdin.read() == open(sys.argv[2]).read()\nsys.exit(42 if right else 9)\n"
    files = {
        **KATTIS,
        "output_validator/check.py": crash,
        "submissions/wrong_answer/square.py": "print(2 * int(input()) ** 2)\n",
    }
    package, out = write_kattis(tmp_path / "double", files), tmp_path / "tasks.jsonl"
    words = ["problem", "import", str(package), "--out", str(out)]
    result = CliRunner().invoke(app, [*words, "--quality", "--url", url])
    assert result.exit_code == 0, result.output
    assert (
        "without a quality, because wrong_answer/constant.cpp could not be judged: the checker failed" in result.output
    )
    assert "quality" not in json.loads(out.read_text())


SLOW = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end:\n    pass\n"


def test_a_time_limit_without_a_margin_is_found_and_an_unreadable_package_hides_no_report(
    tmp_path: Path, url: str
) -> None:
    right = "print(2 * int(input()))\n"
    write_kattis(tmp_path / "double", {**KATTIS, "submissions/accepted/right.py": SLOW.format(seconds=0.9) + right})
    write_kattis(tmp_path / "unreadable", {**KATTIS, "problem.yaml": "name: [\n"})
    page = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["problem", "check", str(tmp_path), "--json", "--html", str(page), "--url", url])
    assert result.exit_code == 2
    assert "unreadable: problem.yaml: is not YAML" in result.stderr
    answer = json.loads(result.stdout)
    assert list(answer["unreadable"]) == [str(tmp_path / "unreadable")]
    (report,) = answer["packages"]
    failures = {(each["kind"], each["name"]): each["detail"] for each in report["findings"] if not each["passed"]}
    assert failures["time limit", "problem"].endswith("s, more than half of it")
    html = page.read_text(encoding="utf-8")
    assert "more than half of it" in html
    assert "is not YAML" in html
    assert "Kill matrix" in html
    assert "http" not in html


def test_an_example_larger_than_a_source_is_judged(tmp_path: Path, url: str) -> None:
    files = {
        **KATTIS,
        "input_validators/check.py": "import sys\nsys.exit(42)\n",
        "submissions/wrong_answer/constant.cpp": "int main() { return 0; }\n",
        "data/valid_output/large.in": "1\n",
        "data/valid_output/large.ans": "2 " * 600_000,
        "data/valid_output/large.out": "2\n" * 600_000,
    }
    code, report = run_check(write_kattis(tmp_path / "double", files), url)
    assert find_failures(report) == {}
    assert code == 0


TESTLIB = {
    "files/check.cpp": """\
#include "testlib.h"
int main(int argc, char *argv[]) {
    registerTestlibCmd(argc, argv);
    int given = ouf.readInt(), wanted = ans.readInt();
    if (given != wanted) quitf(_wa, "%d instead of %d", given, wanted);
    quitf(_ok, "%d", given);
}
""",
    "files/val.cpp": """\
#include "testlib.h"
int main(int argc, char *argv[]) {
    registerValidation(argc, argv);
    inf.readInt(1, 5, "n");
    inf.readEoln();
    inf.readEof();
}
""",
    "files/gen.cpp": """\
#include "testlib.h"
int main(int argc, char *argv[]) {
    registerGen(argc, argv, 1);
    println(opt<int>(1));
}
""",
    "solutions/main.cpp": "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n; }\n",
    "solutions/slow.py": "while True:\n    pass\n",
}


def test_a_polygon_package_with_programs_for_testlib_is_sound(tmp_path: Path, url: str) -> None:
    code, report = run_check(write_polygon(tmp_path / "double", TESTLIB), url)
    assert find_failures(report) == {}
    assert code == 0


def test_a_testlib_validator_names_the_value_that_is_out_of_range(tmp_path: Path, url: str) -> None:
    package = write_polygon(tmp_path / "double", {**TESTLIB, "tests/02": "6\n", "tests/02.a": "12\n"})
    code, report = run_check(package, url)
    assert code == 1
    assert "n = 6 is not in the range [1, 5]" in find_failures(report)["files/val.cpp"]
