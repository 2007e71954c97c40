# The documented recipe for a broken pipe exits with code 1 and no message.
import os
import sys
r, w = os.pipe()
os.dup2(w, 1)
os.close(r)
try:
    print("nobody reads", flush=True)
except BrokenPipeError:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    sys.exit(1)
