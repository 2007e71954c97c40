"""Programs written for testlib compile with the header of the C++ image and behave in each role as documented."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HEADER = next((Path(__file__).parents[2] / "images").glob("*/testlib.h"))
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def compile_program(folder: Path, body: str, standard: str = "gnu++17") -> Path:
    """Compile a program whose main has this body."""
    source = folder / "main.cpp"
    source.write_text(f'#include "testlib.h"\nusing namespace std;\nint main(int argc, char *argv[]) {{\n{body}\n}}\n')
    program = folder / "main"
    command = [
        "g++",
        "-O0",
        f"-std={standard}",
        "-Wall",
        "-Werror",
        "-I",
        str(HEADER.parent),
        "-o",
        str(program),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return program


def run(program: Path, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [program, *arguments], input=stdin, capture_output=True, text=True, check=False, cwd=program.parent
    )
    return done.returncode, done.stdout, done.stderr.strip()


def judge(program: Path, given: str, output: str, answer: str) -> tuple[int, str]:
    for name, text in (("input", given), ("output", output), ("answer", answer)):
        (program.parent / name).write_text(text)
    code, _, message = run(program, "input", "output", "answer")
    return code, message


CHECKER = """
setName("compares lists of numbers");
registerTestlibCmd(argc, argv);
int n = inf.readInt(1, 100, "n");
auto read = [&](InStream &stream) {
    vector<int> values = stream.readInts(n, 0, 1000, "v");
    double mean = stream.readDouble(0, 1e9, "mean");
    stream.ensuref(mean > 0.5, "the mean %.1f is too small", mean);
    return make_pair(values, mean);
};
auto wanted = read(ans), found = read(ouf);
if (found.first != wanted.first) quitf(_wa, "%d%s list differs", 1, englishEnding(1).c_str());
if (!doubleCompare(wanted.second, found.second, 1e-6)) quitf(_pc(40), "close");
if (found.second == wanted.second + 1e-9) quitp(2.5, "%s", "nearly");
quitf(_ok, "%d numbers", n);
"""


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("checker"), CHECKER, "gnu++20")


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("1 2 3\n2.0\n", 0, "ok 3 numbers"),
        (" 1\t2\r\n3 2e0 \n\n", 0, "ok 3 numbers"),
        ("1 2 4 2\n", 1, "wrong answer 1st list differs"),
        ("1 2 3 2.5\n", 90, "partially correct (40) close"),
        ("1 2 3 2.000000001\n", 7, "points 2.5 nearly"),
        ("1 2 3 0.1\n", 1, "wrong answer the mean 0.1 is too small"),
        ("1 2 1001 2\n", 1, "wrong answer v[3] = 1001 is not in the range [0, 1000]"),
        ("1 2 03 2\n", 2, "wrong output format expected an integer, found '03'"),
        ("1 2 x 2\n", 2, "wrong output format expected an integer, found 'x'"),
        ("1 2 99999999999 2\n", 2, "wrong output format expected a 32-bit integer, found 99999999999"),
        ("1 2 3 nan\n", 2, "wrong output format expected a number, found 'nan'"),
        ("1 2\n", 8, "unexpected eof unexpected end of file: a token was expected"),
        ("1 2 3 2.0 4\n", 2, "wrong output format extra text after the answer"),
    ],
)
def test_a_checker(checker: Path, output: str, code: int, message: str) -> None:
    assert judge(checker, "3\n", output, "1 2 3\n2.0\n") == (code, message)


@pytest.mark.parametrize(("given", "answer"), [("0\n", "1 2 3 2\n"), ("3\n", "1 2\n"), ("3\n", "1 2 3 0.1\n")])
def test_a_fault_of_the_input_or_the_answer_is_not_the_programs(checker: Path, given: str, answer: str) -> None:
    code, message = judge(checker, given, "1 2 3 2\n", answer)
    assert code == 3
    assert message.startswith("FAIL ")


def test_a_checker_that_reports_nothing_fails(tmp_path: Path) -> None:
    program = compile_program(tmp_path, "registerTestlibCmd(argc, argv);")
    assert judge(program, "", "", "") == (3, "FAIL a checker must end by calling quit or quitf")


def test_a_message_names_the_case_within_a_test(tmp_path: Path) -> None:
    program = compile_program(tmp_path, "registerTestlibCmd(argc, argv); setTestCase(3); ouf.readInt(1, 2);")
    assert judge(program, "", "5", "") == (1, "wrong answer test case 3: the number 5 is not in the range [1, 2]")


VALIDATOR = """
registerValidation(argc, argv);
int n = inf.readInt(1, 5, "n");
inf.readSpace();
long long big = inf.readLong(-1000000000000LL, 1000000000000LL, "big");
inf.readEoln();
inf.readInts(n, 1, 9, "a");
inf.readEoln();
string word = inf.readToken("[a-c]{1,4}|x(yz)?", "word");
inf.readChar(' ');
inf.readStrictDouble(0, 1, 1, 3, "p");
inf.readEoln();
inf.readLine("[^z]*", "line");
inf.readEof();
ensuref(big != 7, "big must not be %d", 7);
if (validator.group() == "small") ensuref(n == 1, "small tests have n = 1");
"""
VALID = "2 -5\n1 9\nabca 0.25\nfree text \n"


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("validator"), VALIDATOR)


def test_a_validator_accepts_valid_input(validator: Path) -> None:
    assert run(validator, stdin=VALID) == (0, "", "")
    assert run(validator, stdin=VALID.replace("abca", "xyz"))[0] == 0
    assert run(validator, "--group", "small", stdin=VALID)[2] == "FAIL small tests have n = 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("2 -5", "6 -5"), "n = 6 is not in the range [1, 5] (stdin, line 1)"),
        (("2 -5", "2  -5"), "expected a token, found white space (stdin, line 1)"),
        (("2 -5", " 2 -5"), "expected a token, found white space (stdin, line 1)"),
        (("2 -5", "2 -0"), "expected an integer, found '-0' (stdin, line 1)"),
        (("2 -5", "2 7"), "big must not be 7"),
        (("1 9", "1 9 "), "expected the end of the line (stdin, line 2)"),
        (("1 9", "1 10"), "a[2] = 10 is not in the range [1, 9] (stdin, line 2)"),
        (("abca", "abcab"), "word = 'abcab' does not match the pattern '[a-c]{1,4}|x(yz)?' (stdin, line 3)"),
        (("0.25", "0.2512"), "expected a number with 1 to 3 digits after the point, found '0.2512' (stdin, line 3)"),
        (("0.25", "1.5"), "p = 1.5 is not in the range [0, 1] (stdin, line 3)"),
        (("free text \n", "free text"), "the last line does not end with a line feed (stdin, line 4)"),
        (("free text \n", "free text \n\n"), "expected the end of the file (stdin, line 5)"),
    ],
)
def test_a_validator_rejects(validator: Path, change: tuple[str, str], message: str) -> None:
    assert run(validator, stdin=VALID.replace(*change)) == (3, "", f"FAIL {message}")


def test_a_validator_that_does_not_read_to_the_end_fails(tmp_path: Path) -> None:
    program = compile_program(tmp_path, 'registerValidation(argc, argv); inf.readInt(1, 5, "n");')
    assert run(program, stdin="3\n") == (3, "", "FAIL a validator must end by calling inf.readEof()")


GENERATOR = """
registerGen(argc, argv, 1);
int n = opt<int>("n");
long long top = opt<long long>("top", 1000000000000LL);
bool sorted = has_opt("sorted");
vector<int> order = rnd.perm(n, 1);
if (sorted) sort(order.begin(), order.end());
println(n, top, sorted);
println(order);
vector<int> parts = rnd.partition(n, 10 * n, 2);
println(parts.begin(), parts.end());
println(accumulate(parts.begin(), parts.end(), 0));
vector<int> chosen = rnd.distinct(n, 1, 2 * n);
println(set<int>(chosen.begin(), chosen.end()).size());
println(rnd.next("[a-c]{3}-(x|yy){2}"));
println(rnd.next("%d{2}", 7));
int low = 0, high = 0, plain = 0;
for (int i = 0; i < 10000; i++) {
    low += rnd.wnext(1000, -3), high += rnd.wnext(1000, 3), plain += rnd.next(0, 999);
    long long value = rnd.next(-5LL, 5LL);
    if (value < -5 || value > 5 || rnd.next() >= 1 || rnd.next(5) > 4) quitf(_fail, "out of range");
}
println(low / 1000000 < 4, plain / 1000000, high / 1000000 > 6);
shuffle(order.begin(), order.end());
println(format("%d-%s", n, vtos(top).c_str()), rnd.any(string("q")), rnd.any(vector<int>{4, 4}));
println(join(split("a,b,,c", ','), "|"), join(tokenize("a,b,,c", ","), "|"), trim(" x "), upperCase("ab"));
"""


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("generator"), GENERATOR)


def test_a_generator(generator: Path) -> None:
    code, stdout, message = run(generator, "-n", "6", "--top=99", "-sorted")
    assert (code, message) == (0, "")
    lines = stdout.splitlines()
    assert lines[:2] == ["6 99 1", "1 2 3 4 5 6"]
    assert min(map(int, lines[2].split())) >= 2
    assert lines[3:5] == ["60", "6"]
    assert set(lines[5][:3]) <= set("abc")
    assert lines[5][3:] in {"-xx", "-xyy", "-yyx", "-yyyy"}
    assert lines[6:] == ["77", "1 4 1", "6-99 q 4", "a|b||c a|b|c x AB"]


def test_a_generator_depends_on_its_arguments_only(generator: Path) -> None:
    first = run(generator, "-n20", "-seed", "1")
    assert first[0] == 3
    assert first[2] == "FAIL the option 'seed' is not used"
    assert run(generator, "-n20")[1] == run(generator, "-n20")[1] != run(generator, "-n=20")[1]
    assert run(generator)[2] == "FAIL the option 'n' is missing"
    assert run(generator, "-n", "x")[2] == "FAIL option 'n' = 'x' is not an integer of its type"


INTERACTOR = """
registerInteraction(argc, argv);
int chosen = inf.readInt(1, 100, "chosen");
cout << 100 << endl;
for (int question = 1; question <= 7; question++) {
    int guess = ouf.readInt(1, 100, "guess");
    tout << guess << endl;
    if (guess == chosen) quitf(_ok, "found after %d", question);
    cout << (guess < chosen ? "greater" : "less") << endl;
}
quitf(_wa, "too many questions");
"""


def test_an_interactor(tmp_path: Path) -> None:
    program = compile_program(tmp_path, INTERACTOR)
    (tmp_path / "input").write_text("37\n")
    arguments = ("input", "log", "answer")
    (tmp_path / "answer").write_text("")
    assert run(program, *arguments, stdin="50\n37\n") == (0, "100\nless\n", "ok found after 2")
    assert (tmp_path / "log").read_text() == "50\n37\n"
    assert run(program, *arguments, stdin="1\n" * 7)[::2] == (1, "wrong answer too many questions")
    assert run(program, *arguments, stdin="101\n")[0] == 1
    assert run(program, *arguments, stdin="50\n")[0] == 8
