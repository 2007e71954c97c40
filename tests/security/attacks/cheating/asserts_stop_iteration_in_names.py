# attack: talk to the test in place of the runner, and answer every request, even for names, with StopIteration
# contained: only an iterator's next item may end a loop
# expect: wrong_answer, runtime_error
# uses: asserts
import json
import os

STOP = {"error": "", "kind": "StopIteration", "class": {"global": ["builtins", "StopIteration"]}, "args": []}

if __name__ != "__main__":
    while True:
        request = b""
        while not request.endswith(b"\n"):
            request += os.read(3, 65536) or os._exit(0)
        os.write(4, json.dumps({"raised": STOP}).encode() + b"\n")
