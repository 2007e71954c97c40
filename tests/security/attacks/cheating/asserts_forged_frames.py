# attack: answer calls with forged messages: sets with duplicate items, unknown kinds, dangling references
# contained: a message that no encoder produces ends the call with an error
# expect: wrong_answer, runtime_error
# uses: asserts
import json
import os

FRAMES = [
    {"value": {"set": [7, 7]}},
    {"value": {"object": [0, {"global": ["builtins", "int"]}]}},
    {"value": {"yours": -1}},
    {"part": 99},
    {"value": 0, "changes": [[0, [{"yours": 0}]]]},
    {"value": {"global": ["os", "_exit"]}},
]


def solve(numbers):
    for frame in FRAMES:
        os.write(4, json.dumps(frame).encode() + b"\n")
    return 0
