# attack: forge changes to files outside of the folder that the test shares: its source, its conftest.py, modules
# contained: a change to any path that is not inside a shared folder ends the test, and no symbolic link is followed
# expect: wrong_answer, runtime_error
# uses: asserts
import base64
import json
import os

FOLDER = "/tmp/pytest-of-unknown/pytest-0/test_it0"
PASSES = base64.b64encode(b"def test_it(): pass\n").decode()
WORK = os.getcwd()
NAMES = [
    f"{FOLDER}/conftest.py",
    f"{FOLDER}/../conftest.py",
    f"{FOLDER}/../../../..{WORK}/conftest.py",
    f"{FOLDER}/../../../..{WORK}/test_program.py",
    f"{WORK}/conftest.py",
    f"{WORK}/test_program.py",
    f"{WORK}/json.py",
    "/proc/self/mem",
    "/tmp/conftest.py",
]


def solve(numbers):
    for name in NAMES:
        files = {"folders": ["/", FOLDER], "gone": [name], "changed": [[name, PASSES, 0o755, 0]]}
        os.write(4, json.dumps({"value": 0, "files": files}).encode() + b"\n")
    return 0
