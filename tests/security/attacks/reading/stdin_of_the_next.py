# attack: wait for the next test's input on one's own stdin, reopened by name
# contained: each run has a pipe of its own, which ends with its input
# expect: ok
# stdin: only this
# stdout: contained

import os
import sys

first = sys.stdin.read()
more = sys.stdin.read()
try:
    again = os.read(os.open("/dev/stdin", os.O_RDONLY | os.O_NONBLOCK), 100)
except OSError:
    again = b""
print("contained" if first == "only this" and not more and not again else f"ESCAPED {first!r} {more!r} {again!r}")
