"""The other kinds of tests a submission may hold, beside stdin and expected stdout."""

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
    """Call the submission's `entry_point` and compare the value it returns, outside the box. Python only.

    Values are compared as by Python's `==`, except that tuples equal lists, an int key equals the same key written as a
    string, and NaN equals NaN. With a `float` checker, numbers may differ by its tolerances. With an unordered checker,
    lists match in any order and a set equals a list of its items; with any other checker, a set never equals a list.
    """

    __test__ = False  # not a pytest class, whatever its name says

    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None
    alternatives: list[Any] = Field(
        default_factory=list, max_length=16, description="other values that are as correct as `expected`"
    )
    integer_keys: bool = Field(
        False,
        description="convert the keys of an argument to ints if it is an object whose keys are all whole numbers",
    )


class AssertTest(WireModel):
    """Python source that raises on failure, run in a box of its own against the submission's functions. Python only.

    The source calls the functions by their names, or the `entry_point` as `candidate`. It compares values made of
    builtin types, and the program never sees it. It passes by reaching its end after it has used the program.
    """

    __test__ = False
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    assertion: str = Field(alias="assert", max_length=MAX_CODE_CHARS)


class PytestTest(WireModel):
    """The source of a pytest file, run by pytest in a box of its own against the submission. Python only.

    It imports the program as `solution` or `main`, or by another name of `modules`. The score is the share of its test
    functions that passed; `parts` of the result tells of each.
    """

    __test__ = False
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    source: str = Field(alias="pytest", max_length=MAX_CODE_CHARS)
    files: Files = Field(default_factory=dict, description="beside it: conftest.py")
    modules: list[ModuleName] = Field(default_factory=list, max_length=16)


class CommandTest(WireModel):
    """Run a command in the program's directory, in its box; exit code 0 passes.

    The command runs beside the program's files, so a program that writes its own answer to it cannot be told from one
    that solves the task: use it where code is trusted to that degree.
    """

    __test__ = False

    command: list[Argument] = Field(min_length=1, max_length=MAX_COMMAND_ARGUMENTS)
    stdin: str = Field("", max_length=MAX_ARGUMENT_CHARS * 64)
    files: Files = Field(default_factory=dict)


def classify_test(test: Any) -> str:
    """Which kind a test is, by the fields it has."""
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
    """Which kind a test of a reward request is: texts alone are a program's arguments and output.

    With an entry point they are a function's: `resolved` tells the two apart.
    """
    kind = classify_test(test)
    if kind == "function" and isinstance(test, dict) and "kwargs" not in test:
        args, expected = test["args"], test.get("expected", "")
        if isinstance(expected, str) and isinstance(args, list) and all(isinstance(each, str) for each in args):
            return "stdin"
    return kind


def resolve_test(test: Any, entry_point: str) -> Any:
    """A test of a reward request as one of a submission, where arguments alone mean a call of the entry point."""
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
