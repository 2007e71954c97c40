# attack: patch the exit path of the warm interpreter, so that a failure looks like a success
# contained: the exit code is the program's own to choose; nothing outside the child changes
# expect: runtime_error, ok
# runs: 2

import os
import sys

real = os._exit
os._exit = lambda code: real(0)
sys.excepthook = lambda *rest: real(0)
raise ValueError("looks like success, and is: a program may exit with 0")
