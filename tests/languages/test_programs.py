"""Run each language's self-test programs, one per verdict, in a real box and judge them.

Images that are built on demand take gigabytes and minutes: SANDBOX_TEST_ALL_IMAGES=1 builds and tests them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import docker
import pytest

from sandbox import languages
from sandbox.box.docker.images import ON_DEMAND_IMAGES, ensure_images
from sandbox.box.slot import Slot
from sandbox.runner.contract import Limits, Run, Status, Verdict
from sandbox.verify.judge import CheckerChoice, judge_outcome
from tests.box.running import run_once
from tests.languages import self_tests

SLOW_TO_COMPILE = {"typescript"}
NeedsImage = Callable[[str], None]


@pytest.fixture(scope="session")
def needs_image(docker_client: docker.DockerClient, images: dict[str, str]) -> NeedsImage:
    """Skips a test whose image is built on demand, unless all images are wanted."""

    def check(name: str) -> None:
        if name in images:
            return
        if os.environ.get("SANDBOX_TEST_ALL_IMAGES") != "1":
            pytest.skip(f"the image {name} is built on demand; SANDBOX_TEST_ALL_IMAGES=1 builds and tests it")
        ensure_images(docker_client, [name], lambda line: None)

    return check


def _build_cases() -> Sequence[object]:
    cases = []
    for name, language in languages.load_languages().items():
        slow = [pytest.mark.slow] if language.image in ON_DEMAND_IMAGES or name in SLOW_TO_COMPILE else []
        for verdict in sorted(self_tests.list_verdicts(name)):
            cases.append(pytest.param(name, verdict, id=f"{name}-{verdict}", marks=slow))
    return cases


@pytest.mark.timeout(1_800)  # includes building an image
@pytest.mark.parametrize(("name", "verdict"), _build_cases())
def test_a_program_gets_its_verdict(slot: Slot, needs_image: NeedsImage, name: str, verdict: Verdict) -> None:
    language = languages.get_language(name)
    needs_image(language.image)
    run = Run(stdin=self_tests.STDIN, limits=self_tests.LIMITS.get(verdict, Limits()))
    with slot.lend(language.image) as box:
        outcome = box.load(language.build_program(self_tests.read_source(name, verdict)))
        if outcome is None or outcome.ended_well:
            outcome = box.run(run)
    judged = judge_outcome(outcome, self_tests.EXPECTED, CheckerChoice("tokens", {}))
    assert judged.verdict is verdict, outcome


@pytest.mark.parametrize("name", sorted(languages.load_languages()))
def test_a_language_has_a_program_for_each_verdict_and_no_other(name: str) -> None:
    there = {path.stem for path in self_tests.find_folder(name).iterdir()}
    expected = {verdict.value for verdict in self_tests.list_verdicts(name)}
    assert there == expected


def test_no_programs_are_left_of_a_language_that_is_gone() -> None:
    assert {path.name for path in self_tests.FOLDER.iterdir()} == set(languages.load_languages()) - set(
        self_tests.SHARED_PROGRAMS
    )


DEEP = {
    "java": """
        public class Main {
            static int depth(int n) { return n == 0 ? 0 : 1 + depth(n - 1); }
            public static void main(String[] args) { System.out.println(depth(200_000)); }
        }
    """,
    "kotlin": """
        fun depth(n: Int): Int = if (n == 0) 0 else 1 + depth(n - 1)
        fun main() { println(depth(200_000)) }
    """,
    "javascript": "const depth = n => n === 0 ? 0 : 1 + depth(n - 1); console.log(depth(200_000));",
    "ruby": """
        def depth(n) = n == 0 ? 0 : 1 + depth(n - 1)
        puts depth(200_000)
    """,
    "go": """
        package main
        import "fmt"
        func depth(n int) int { if n == 0 { return 0 }; return 1 + depth(n - 1) }
        func main() { fmt.Println(depth(200_000)) }
    """,
    "csharp": """
        class Program {
            static int Depth(int n) { return n == 0 ? 0 : 1 + Depth(n - 1); }
            static void Main() { System.Console.WriteLine(Depth(200000)); }
        }
    """,
    "ocaml": "let rec depth n = if n = 0 then 0 else 1 + depth (n - 1)\nlet () = print_int (depth 200_000)",
    "perl": "no warnings; sub depth { my $n = shift; $n == 0 ? 0 : 1 + depth($n - 1) } print depth(200_000);",
    "racket": "#lang racket/base\n(define (depth n) (if (= n 0) 0 (+ 1 (depth (- n 1)))))\n(depth 200000)",
}


def run_and_read(slot: Slot, language: str, code: str, **options: Any) -> bytes:
    """Return the output of a program that must succeed."""
    outcome = run_once(slot, code, language=language, memory_mb=512, **options)
    assert outcome.status is Status.OK, outcome
    return outcome.stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", sorted(DEEP))
def test_recursion_may_be_deep(slot: Slot, needs_image: NeedsImage, name: str) -> None:
    needs_image(languages.get_language(name).image)
    assert run_and_read(slot, name, DEEP[name]) == b"200000"


ARGUMENTS = {
    "java": "class Echo { public static void main(String[] args) { System.out.println(args[0]); } }",
    "kotlin": "fun main(args: Array<String>) { println(args[0]) }",
    "scala": "object Echo extends App { println(args(0)) }",
    "typescript": "console.log(process.argv[2]);",
    "php": "<?php echo $argv[1];",
    "go": 'package main\nimport ("fmt"; "os")\nfunc main() { fmt.Println(os.Args[1]) }',
    "rust": 'fn main() { println!("{}", std::env::args().nth(1).unwrap()); }',
    "csharp": "class Echo { static void Main(string[] args) { System.Console.WriteLine(args[0]); } }",
    "haskell": "import System.Environment\nmain = getArgs >>= putStrLn . head",
    "ocaml": "let () = print_endline Sys.argv.(1)",
    "pascal": "begin writeln(paramstr(1)); end.",
    "fortran": "program echo\ncharacter(99) :: word\ncall get_command_argument(1, word)\nprint '(A)', trim(word)\nend",
    "d": "import std.stdio;\nvoid main(string[] args) { writeln(args[1]); }",
    "ruby": "puts ARGV[0]",
    "perl": "print $ARGV[0];",
    "lua": "print(arg[1])",
    "r": "cat(commandArgs(trailingOnly = TRUE)[1])",
    "racket": "#lang racket/base\n(display (vector-ref (current-command-line-arguments) 0))",
    "erlang": "-module(main).\n-export([main/1]).\nmain([Word | _]) -> io:put_chars(Word).",
    "elixir": "IO.puts(hd(System.argv()))",
    "pypy": "import sys; print(sys.argv[1])",
}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_program_gets_its_arguments(slot: Slot, needs_image: NeedsImage, name: str) -> None:
    needs_image(languages.get_language(name).image)
    assert run_and_read(slot, name, ARGUMENTS[name], args=("-first", "second")) == b"-first"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_one_array_larger_than_the_memory_is_a_memory_limit_in_java(slot: Slot, needs_image: NeedsImage) -> None:
    needs_image("jvm")
    code = "class Main { public static void main(String[] a) { System.out.println(new int[300_000_000].length); } }"
    assert run_once(slot, code, language="java", memory_mb=512).status is Status.MEMORY_LIMIT_EXCEEDED
    assert run_once(slot, code, language="java", memory_mb=2_048).ended_well


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("flags", ["public", "public final", "public abstract strictfp"])
def test_a_java_program_names_its_class_as_it_likes(slot: Slot, needs_image: NeedsImage, flags: str) -> None:
    needs_image("jvm")
    code = f"""
        // public class Decoy
        class Other {{ static void main(int number) {{}} }}
        {flags} class Chosen {{ public static void main(String[] args) {{ System.out.println("here"); }} }}
    """
    assert run_once(slot, code, language="java", memory_mb=512).stdout == b"here\n"


SEVERAL_MAINS = {
    "the public one": ("", "Alpha", "public", "Zed", "Zed"),
    "the public one before one named Main": ("", "Main", "public", "Zed", "Zed"),
    "the public one when it comes first": ("public", "Zed", "", "Alpha", "Zed"),
    "one named Main": ("", "Alpha", "", "Main", "Main"),
    "one named Main that is public": ("", "Alpha", "public", "Main", "Main"),
    "the first of the source": ("", "Zed", "", "Alpha", "Zed"),
}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("which", SEVERAL_MAINS)
def test_of_several_java_classes_with_a_main_method_this_one_starts(
    slot: Slot, needs_image: NeedsImage, which: str
) -> None:
    needs_image("jvm")
    first_flags, first, second_flags, second, started = SEVERAL_MAINS[which]
    source = "".join(
        f'{flags} class {name} {{ public static void main(String[] args) {{ System.out.println("{name}"); }} }}\n'
        for flags, name in ((first_flags, first), (second_flags, second))
    )
    outcome = run_once(slot, source, language="java", memory_mb=512)
    assert outcome.stdout.decode().strip() == started, outcome


def test_a_bash_program_may_have_the_line_ends_of_windows(slot: Slot) -> None:
    source = 'read -r name\r\nif [ "$name" = world ]; then\r\n  echo "hello $name"\r\nfi\r\n'
    assert run_once(slot, source, language="bash", stdin=b"world\n").stdout == b"hello world\n"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_java_program_without_main_is_a_runtime_error(slot: Slot, needs_image: NeedsImage) -> None:
    needs_image("jvm")
    outcome = run_once(slot, "class Nothing {}", language="java", memory_mb=512)
    assert outcome.status is Status.RUNTIME_ERROR
    assert b"Main" in outcome.stderr


FAILS_AN_ASSERTION = {
    "java": """
        public class Main {
            public static void main(String[] args) { System.out.println(1); assert args.length == 7 : "no"; }
        }
    """,
    "kotlin": 'fun main(args: Array<String>) { println(1)\n assert(args.size == 7) { "no" } }',
    "csharp": """
        using System; using System.Diagnostics;
        class P { static void Main(string[] args) { Console.WriteLine(1); Debug.Assert(args.Length == 7, "no"); } }
    """,
    "rust": """
        fn main() {
            println!("1");
            let last = std::env::args().count() as u8 + 254;
            println!("{}", last.wrapping_add(1));
            println!("{}", last + 1);
        }
    """,
}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", sorted(FAILS_AN_ASSERTION))
def test_an_assertion_that_fails_ends_a_program_with_debug_checks_alone(
    slot: Slot, needs_image: NeedsImage, name: str
) -> None:
    language = languages.get_language(name)
    needs_image(language.image)
    ended = {}
    for checked in (False, True):
        with slot.lend(language.image) as box:
            compiled = box.load(language.build_program(FAILS_AN_ASSERTION[name], debug_checks=checked))
            assert compiled is None or compiled.ended_well, compiled
            ended[checked] = box.run(Run())
    assert ended[False].status is Status.OK
    assert ended[True].status is Status.RUNTIME_ERROR
    assert ended[True].stdout.startswith(b"1\n")
    assert ended[True].stderr
