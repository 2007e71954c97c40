# attack: leave a __pycache__ and a module next to the program, for its next test
# contained: each test has a fresh work directory
# expect: ok
# runs: 2
# stdout: contained

import os

print("ESCAPED" if os.listdir() != ["main.py"] else "contained")
os.mkdir("__pycache__")
open("json.py", "w").write("print('ESCAPED')")
open("__pycache__/main.cpython-311.pyc", "w").write("x")
