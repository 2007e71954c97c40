# attack: while a call waits, have the test's process read its own files by a path, or format strings that access objects
# contained: a program may use the objects that the test passed to it, but no value of its own making
# expect: wrong_answer, runtime_error
# uses: asserts
import json
import os

PATHS = ["test_program.py", "test.py", "/proc/self/fd/0", "/proc/self/environ"]


def ask(operation, *args):
    os.write(4, json.dumps({"do": operation, "args": args}).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += os.read(3, 65536) or os._exit(0)
    return json.loads(answer).get("value")


def solve(numbers):
    found = [ask("method", {"PosixPath": path}, "read_text") for path in PATHS]
    found.append(ask("method", {"PosixPath": "."}, "absolute"))
    found.append(ask("call", {"global": ["pathlib", "PosixPath.home"]}))
    found.append(ask("call", {"global": ["pathlib", "io.FileIO"]}, "test_program.py"))
    found.append(ask("getattr", {"global": ["builtins", "str"]}, "format"))
    found.append(ask("method", "{0}", "format", 7))
    # If any of these returned, the program used something in the test's process; a file contains the expected value.
    return 7 if any(one is not None for one in found) else 0
