"""The kinds of tests besides stdin with expected stdout."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from sandbox.schema.programs import (
    MAX_ARGUMENT_CHARS,
    MAX_CODE_CHARS,
    MAX_NAME_CHARS,
    Argument,
    Files,
    TestCase,
    WireModel,
)

MAX_COMMAND_ARGUMENTS = 64

ModuleName = Annotated[str, Field(max_length=MAX_NAME_CHARS, pattern=r"^[^\W\d]\w*$")]


class FunctionTest(WireModel):
    """Call the submission's `entry_point` and compare its return value outside the box. Python only.

    Values compare like Python's `==`, except that tuples equal lists, an int key equals the same key written as a
    string, and NaN equals NaN. With a `float` checker, numbers may differ by its tolerances. With an unordered checker,
    lists match in any order and a set equals a list of its items. With any other checker, a set never equals a list.
    """

    __test__ = False  # not a test class of pytest, despite its name

    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None
    alternatives: list[Any] = Field(
        default_factory=list, max_length=16, description="other values that are also correct"
    )
    integer_keys: bool = Field(
        False,
        description="convert an argument's keys to ints if it is an object whose keys are all whole numbers",
    )


class AssertTest(WireModel):
    """Python source that raises on failure. Runs in a separate box and calls the submission's functions. Python only.

    The source calls functions by name, or the `entry_point` as `candidate`, and compares values of builtin types.
    The program never sees it. The test passes if the source runs to its end and has used the program.
    """

    __test__ = False
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    assertion: str = Field(alias="assert", max_length=MAX_CODE_CHARS)


class PytestTest(WireModel):
    """The source of a pytest file, which pytest runs in a separate box against the submission. Python only.

    It imports the program as `solution`, as `main`, or by a name in `modules`. The score is the share of its test
    functions that passed, not counting skipped ones. `parts` of the result lists each function.
    """

    __test__ = False
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    source: str = Field(alias="pytest", max_length=MAX_CODE_CHARS)
    files: Files = Field(default_factory=dict, description="files in its directory, such as conftest.py")
    modules: list[ModuleName] = Field(default_factory=list, max_length=16)


class CommandTest(WireModel):
    """Run a command in the program's directory and box. The test passes if the exit code is 0.

    The command runs next to the program's files, so a program can write a fake answer for it. Use command tests only
    for code that you trust not to cheat.
    """

    __test__ = False

    command: list[Argument] = Field(min_length=1, max_length=MAX_COMMAND_ARGUMENTS)
    stdin: str = Field("", max_length=MAX_ARGUMENT_CHARS * 64)
    files: Files = Field(default_factory=dict)


def classify_test(test: Any) -> str:
    """Determine the kind of a test from its fields."""
    if not isinstance(test, dict):
        return next((name for kind, name in _KINDS if isinstance(test, kind)), "stdin")
    if "assert" in test:
        return "assert"
    if "pytest" in test:
        return "pytest"
    if "command" in test:
        return "command"
    if not _STDIN_FIELDS & test.keys() and {"args", "kwargs"} & test.keys():
        return "function"
    return "stdin"


def classify_rewarded_test(test: Any) -> str:
    """Determine the kind of a test of a reward request.

    `args` that are all strings are taken as a program's arguments. If there is an entry point, they are a function's
    arguments instead; `resolve_test` converts the test later.
    """
    kind = classify_test(test)
    if kind == "function" and isinstance(test, dict) and "kwargs" not in test:
        args, expected = test["args"], test.get("expected", "")
        if isinstance(expected, str) and isinstance(args, list) and all(isinstance(each, str) for each in args):
            return "stdin"
    return kind


def resolve_test(test: Any, entry_point: str) -> Any:
    """Convert a test of a reward request for a submission: with an entry point, a test with only args calls it."""
    if not isinstance(test, TestCase) or "args" not in test.model_fields_set or _STDIN_FIELDS & test.model_fields_set:
        return test
    if entry_point:
        return FunctionTest(args=list(test.args), expected=test.expected)
    return test.model_copy(update={"stdin": ""})


_STDIN_FIELDS = {"stdin", "stdin_base64", "expected_base64", "files", "expected_files"}
_KINDS: tuple[tuple[type[WireModel], str], ...] = (
    (FunctionTest, "function"),
    (AssertTest, "assert"),
    (CommandTest, "command"),
    (PytestTest, "pytest"),
)

_Test = (
    Annotated[TestCase, Tag("stdin")]
    | Annotated[FunctionTest, Tag("function")]
    | Annotated[AssertTest, Tag("assert")]
    | Annotated[CommandTest, Tag("command")]
    | Annotated[PytestTest, Tag("pytest")]
)
AnyTest = Annotated[_Test, Discriminator(classify_test)]
RewardedTest = Annotated[_Test, Discriminator(classify_rewarded_test)]
